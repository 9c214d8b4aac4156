"""The receivers of a seeded world, and how they behave: fast, slow, dead, flapping, lying, limiting."""

from collections.abc import Callable
from email.utils import formatdate
from random import Random

from gateway.tests.world.network import NEVER, Reply, SentRequest

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.timestamps import SECOND


class Receiver:
    """One endpoint. Its behaviour changes as time passes: see `BEHAVIOURS`."""

    def __init__(self, behaviour: "Behaviour", random: Random) -> None:
        self.behaviour = behaviour
        self.since = 0.0
        """When it took up this behaviour, in seconds of virtual time."""
        self.random = random
        self.phase = random.random() * 100
        self.recent: list[float] = []
        """When it last accepted requests, as far as its limit needs it."""

    def change(self, behaviour: "Behaviour", at: float) -> None:
        self.behaviour, self.since = behaviour, at

    def answer(self, sent: SentRequest) -> Reply:
        return self.behaviour(self, sent)


Behaviour = Callable[[Receiver, SentRequest], Reply]


def well(receiver: Receiver, _sent: SentRequest) -> Reply:
    return Reply(after=receiver.random.uniform(0.001, 0.03), status=receiver.random.choice((200, 200, 201, 204)))


def slow(receiver: Receiver, _sent: SentRequest) -> Reply:
    return Reply(after=receiver.random.choice((0.3, 1.0, 2.0, 4.0, 4.99, 5.01)))


def dead(receiver: Receiver, _sent: SentRequest) -> Reply:
    return receiver.random.choice(
        (
            _lost(0.002, Failure.CONNECT),
            _lost(0.002, Failure.CONNECT),
            _lost(1.0, Failure.DNS),
            Reply(status=None, after=NEVER),
            _lost(0.05, Failure.TLS_EXPIRED),
        )
    )


def _lost(after: float, failure: Failure) -> Reply:
    return Reply(status=None, after=after, failure=failure)


def flapping(receiver: Receiver, sent: SentRequest) -> Reply:
    is_up = int((sent.at + receiver.phase) / 20) % 2 == 0
    return (well if is_up else dead)(receiver, sent)


def lying(receiver: Receiver, sent: SentRequest) -> Reply:
    """Accept the request, and answer in a way that does not come through whole."""
    random = receiver.random
    chance = random.random()
    if chance < 0.3:
        return Reply(status=200, after=random.uniform(0.001, 1.0), failure=Failure.RESET)
    if chance < 0.45:
        return _lost(random.uniform(0.001, 1.0), Failure.RESET)
    if chance < 0.55:
        return Reply(status=200, after=NEVER)
    if chance < 0.6:
        return _lost(0.01, Failure.PROTOCOL)
    return well(receiver, sent)


def failing(receiver: Receiver, sent: SentRequest) -> Reply:
    random = receiver.random
    if random.random() < 0.6:
        status = random.choice((500, 502, 404, 410, 302, 400, 503))
        failure = Failure.REDIRECT if status == 302 else Failure.STATUS
        return Reply(status=status, after=random.uniform(0.001, 0.1), failure=failure)
    return well(receiver, sent)


def broken(receiver: Receiver, _sent: SentRequest) -> Reply:
    return Reply(status=500, after=receiver.random.uniform(0.001, 0.1))


def limiting(receiver: Receiver, sent: SentRequest) -> Reply:
    """Accept two requests a second, and say in all possible ways when to try again."""
    random = receiver.random
    receiver.recent = [earlier for earlier in receiver.recent if earlier > sent.at - 1.0]
    if len(receiver.recent) < 2:
        receiver.recent.append(sent.at)
        return well(receiver, sent)
    seconds = random.choice((0, 1, 5, 20, 40, 40, 120))
    if random.random() < 0.01:
        seconds = 86_400
    asked_for = min(seconds, 3_600.0)
    said, surely = random.choice(
        (
            (str(seconds), asked_for),
            (str(seconds), asked_for),
            (formatdate(sent.wall / SECOND + seconds, usegmt=True), max(0.0, asked_for - 1.1)),
            ("soon", 0.0),
            (None, 0.0),
        )
    )
    return Reply(status=random.choice((429, 503)), after=0.005, retry_after=said, asked_for=surely)


def moody(receiver: Receiver, sent: SentRequest) -> Reply:
    return receiver.random.choice((well, well, well, slow, dead, failing, lying))(receiver, sent)


BEHAVIOURS: dict[str, Behaviour] = {
    "well": well, "slow": slow, "dead": dead, "flapping": flapping, "lying": lying, "failing": failing,
    "broken": broken, "limiting": limiting, "moody": moody,
}  # fmt: skip
