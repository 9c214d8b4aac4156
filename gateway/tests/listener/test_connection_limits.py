"""How many connections there may be."""

import asyncio

from signalpost.listener.connection_limits import SPARE, ConnectionLimits


def test_a_crowd_without_anyone_who_waits_lets_nobody_in() -> None:
    class LimitedConnection:
        aborted = False

        def overdue(self) -> None: ...

        def abort(self) -> None:
            self.aborted = True

    async def scenario() -> None:
        limits = ConnectionLimits(10)
        members = [LimitedConnection() for _ in range(10 + SPARE)]
        assert [limits.enter(connection) for connection in members] == [True] * len(members)
        assert [limits.work(connection) for connection in members] == [True] * 10 + [False] * SPARE
        assert not limits.enter(LimitedConnection())
        limits.leave(members[0])
        assert limits.enter(members[0])
        assert not any(connection.aborted for connection in members)

    asyncio.run(scenario())
