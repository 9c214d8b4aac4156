"""Writes events to a stream of NATS JetStream, each right behind the one before.

The stream is for the events of one drain. A message is taken only if the last one of the stream is the one that this
process knows. So what follows one that failed fails too, and two processes can never mix what they write. The last
message says by its header how far the stream is.

A stream may forget that message: it becomes too old, or was read. So there is a cursor on a subject of its own, written
after each batch; what is further counts. If only the cursor is left, it may be a batch behind. Those events are then
written one by one, under the same ids as before, and the stream drops what it has had within its window for duplicates.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct
from nats.aio.client import Client
from nats.errors import Error, MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from signalpost_connect.config import Secret
from signalpost_connect.nats.servers import ANSWER_SECONDS, cause, connected, sentence, servers_of, stream_of
from signalpost_connect.sink import Entry, Origin, SinkAway, attributes_of

WRONG_LAST: Final = 10071
"""The code with which the server says that the last message is another one."""
TOO_LARGE: Final = 10054

Subject = Annotated[str, Meta(pattern=r"^[^\s*>.]+(\.[^\s*>.]+)*$", max_length=200)]


class NatsSinkConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which subjects, and where."""

    url: Secret
    """Refers to URLs, with commas between them: `tls://user:password@host:4222`."""
    subject: Subject
    """What subjects of events begin with; the type of the event follows. A stream for these events alone keeps them."""
    cursor_subject: Subject
    """The subject of the cursor, which another stream keeps. Several sinks can share that stream."""
    credentials: str | None = None
    """A file with credentials of NATS."""
    source: Origin = "signalpost"


class Writing:
    """What one connection knows of the streams."""

    def __init__(self, js: JetStreamContext, stream: str, last: int) -> None:
        self.js = js
        self.stream = stream
        self.last = last
        """The number of the last message in the stream of events."""
        self.may_repeat = False
        """Whether the stream may have had events already that come next."""
        self.cursor_number = 0
        """The number of the cursor in its own stream; 0 if there is none."""


class NatsSink:
    """A stream of events, and the cursor beside it."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = NatsSinkConfig

    def __init__(self, config: NatsSinkConfig) -> None:
        self._servers = servers_of(config.url)
        self._config = config
        self._client: Client | None = None
        self._writing: Writing | None = None
        self._limit: asyncio.Timeout | None = None
        """Ends a call that waits for answers."""

    async def cursor(self) -> int | None:
        """Read how far the stream and the cursor are."""
        await self.close()
        async with self._used():
            self._client = await connected(self._servers, self._config.credentials, self._on_closed)
            self._writing, cursors = await self._begun(self._client)
            last = await self._last_event(self._writing)
            kept = await self._kept_cursor(self._writing, cursors)
            return max((each for each in (last, kept) if each is not None), default=None)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write events, then the cursor."""
        async with self._used():
            assert self._writing is not None, "ask for the cursor first"
            try:
                for part in [[each] for each in entries] if self._writing.may_repeat else [entries]:
                    await self._publish(self._writing, part)
                self._writing.may_repeat = False
                await self._keep_cursor(self._writing, entries[-1].sequence)
            except (APIError, MaxPayloadError) as error:
                raise SinkAway(self._reason(error, entries)) from None

    async def close(self) -> None:
        """Close the connection."""
        client, self._client, self._writing = self._client, None, None
        if client is not None:
            await client.close()

    # --- Where it goes on ---------------------------------------------------------------------------------------------

    async def _begun(self, client: Client) -> tuple[Writing, str]:
        """What is known at the beginning, and the stream of the cursor."""
        js = client.jetstream(timeout=ANSWER_SECONDS)
        events = await self._stream(js, "subject", f"{self._config.subject}.>")
        cursors = await self._stream(js, "cursor_subject", self._config.cursor_subject)
        if events == cursors:
            raise SinkAway(
                f"The cursor_subject {self._config.cursor_subject} is of the stream of the events; name another."
            )
        config = (await js.stream_info(cursors)).config
        if config.retention != "limits" or any((each or 0) > 0 for each in (config.max_age, config.max_msgs)):
            raise SinkAway(
                f"The stream {cursors} would forget the cursor. Let it have the retention `limits`, and no limit of age"
                " or of messages but one for each subject."
            )
        return Writing(js, events, (await js.stream_info(events)).state.last_seq), cursors

    async def _stream(self, js: JetStreamContext, member: str, subject: str) -> str:
        found = await stream_of(js, subject)
        if found is None:
            raise SinkAway(f"No stream of NATS keeps the {member} {subject}; make one.")
        return found

    async def _last_event(self, writing: Writing) -> int | None:
        """The sequence of the event that the last message is; None if the stream has forgotten it, or never had one."""
        if not writing.last:
            return None
        try:
            message: RawStreamMsg = await writing.js.get_msg(writing.stream, writing.last)
        except NotFoundError:
            writing.may_repeat = True
            return None
        sequence = (message.headers or {}).get("ce-sequence", "")
        if not sequence.isdecimal():
            raise SinkAway(
                f"The last message of the stream {writing.stream} is no event of a drain. Let the stream be for these"
                " events alone."
            )
        return int(sequence)

    async def _kept_cursor(self, writing: Writing, cursors: str) -> int | None:
        try:
            message: RawStreamMsg = await writing.js.get_last_msg(cursors, self._config.cursor_subject)
        except NotFoundError:
            return None
        if not (message.data or b"").isdigit():
            raise SinkAway(f"The last message of {self._config.cursor_subject} is no cursor.")
        writing.cursor_number = message.seq or 0
        return int(message.data or b"")

    # --- What it writes -----------------------------------------------------------------------------------------------

    async def _publish(self, writing: Writing, entries: Sequence[Entry]) -> None:
        """Send events one behind the other, and wait until the stream has all of them."""
        answers = await asyncio.gather(
            *(
                writing.js.publish(
                    f"{self._config.subject}.{each.type}",
                    each.body,
                    timeout=ANSWER_SECONDS,
                    headers=headers_of(each, self._config.source, writing.last + place),
                )
                for place, each in enumerate(entries)
            ),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            writing.last += not answer.duplicate

    async def _keep_cursor(self, writing: Writing, sequence: int) -> None:
        expected = {"Nats-Expected-Last-Subject-Sequence": str(writing.cursor_number)}
        answer = await writing.js.publish(self._config.cursor_subject, str(sequence).encode(), headers=expected)
        writing.cursor_number = answer.seq

    def _reason(self, error: APIError | MaxPayloadError, entries: Sequence[Entry]) -> str:
        code = error.err_code if isinstance(error, APIError) else TOO_LARGE
        if code == WRONG_LAST:
            return (
                f"Another process writes to the stream of {self._config.subject}, or of {self._config.cursor_subject}."
                " If it is another drain that is wanted, give it other subjects."
            )
        if code == TOO_LARGE:
            largest = max(entries, key=lambda each: len(each.body))
            return (
                f"An event is too large for NATS; the largest of those that come next, {largest.id}, has"
                f" {len(largest.body)} bytes. Raise max_payload of the server, and max_msg_size of the stream."
            )
        return sentence(error)

    # --- The connection -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[None]:
        """Whatever fails, the connection is closed afterwards."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as self._limit:
                try:
                    yield
                finally:
                    self._limit = None
        except TimeoutError as error:
            said = error if self._client is None else cause(error, self._client)
            await self.close()
            if said is error:
                raise SinkAway("NATS does not answer, or closed the connection.") from error
            raise SinkAway(sentence(said)) from error
        except (Error, OSError) as error:
            await self.close()
            raise SinkAway(sentence(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _on_closed(self) -> None:
        """The connection is lost, so no answer comes any more. The client would go on waiting for it."""
        if self._limit is not None:
            self._limit.reschedule(0)


def headers_of(entry: Entry, source: str, last: int) -> dict[str, str]:
    """What is said beside an event: the attributes of CloudEvents as their protocol binding for NATS names them, and
    behind which message it belongs."""
    attributes = {f"ce-{name}": value for name, value in attributes_of(entry, source).items()}
    place: Mapping[str, str] = {"Nats-Msg-Id": entry.id, "Nats-Expected-Last-Sequence": str(last)}
    return {**attributes, "content-type": "application/json", **place}
