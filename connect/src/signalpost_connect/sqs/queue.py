"""Reads a queue of Amazon SQS.

A message that was received is hidden from others for `hidden_seconds`, and comes again after that unless it was
deleted. On a FIFO queue, the messages of a group keep their order, and none of them comes while an earlier one is
hidden: so the group has to be the document. The number of a message there is its version. Other queues have neither
order nor numbers: the message, or a mapping, has to give the version, and a state that was overtaken is dropped.

What is dead goes to a queue of its own with the reason, before it is deleted here.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from signalpost_connect.config import Secret
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict
from signalpost_connect.sqs.calls import SqsCalls
from signalpost_connect.sqs.signature import Credentials

CALL_MESSAGES: Final = 10
"""How many messages a call of SQS takes or gives."""
LONGEST_PROBLEM: Final = 1000
NUMBER_UNIT: Final = 256
"""The numbers of a FIFO queue have up to 128 bits, and versions 63. Numbers that are divided keep their order; of two
that become the same, the gateway takes the later one as well."""


class SqsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which queue, and who asks."""

    queue: str
    """The URL of the queue."""
    dead_queue: str
    """The URL of the queue for what the gateway will never take."""
    region: str
    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None
    hidden_seconds: Annotated[int, Meta(ge=1, le=43_200)] = 120
    """For how long a message that was received is hidden: longer than a batch may take."""


class SqsQueue:
    """Messages of one queue of SQS, and the queue for its dead ones."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = SqsConfig

    def __init__(self, config: SqsConfig) -> None:
        parts = urlsplit(config.queue)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "queue: this must be the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/1/name."
            )
        token = None if config.session_token is None else _read(config.session_token, "session_token")
        credentials = Credentials(_read(config.access_key, "access_key"), _read(config.secret_key, "secret_key"), token)
        self._config = config
        self.has_versions = config.queue.endswith(".fifo")
        self._calls = SqsCalls(f"{parts.scheme}://{parts.netloc}/", config.region, credentials)
        self._held: dict[str, dict[str, Any]] = {}
        """Messages that were received and not settled, by id, as SQS gave them."""

    async def take(self, most: int, seconds: float) -> Batch:
        """The messages that are there, ten for each call, which waits only for the first."""
        messages = list[Message]()
        self._held = {}
        while len(messages) < most:
            received = await self._receive(most - len(messages), 0 if messages else round(seconds))
            messages += [message_of(each) for each in received]
            self._held |= {each["MessageId"]: each for each in received}
            if not received:
                break
        sent = min((int(each["Attributes"]["SentTimestamp"]) for each in self._held.values()), default=None)
        return Batch(messages, 0.0 if sent is None else max(0.0, time.time() - sent / 1000))

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Delete what is done, move what is dead, and show the rest again."""
        dead = {each.id: verdict for each, verdict in zip(batch.messages, verdicts, strict=True)
                if verdict.outcome is Outcome.DEAD}  # fmt: skip
        await self._in_tens(
            "SendMessageBatch", self._config.dead_queue, [self._as_dead(*each) for each in dead.items()]
        )
        settled = [each.id for each, verdict in zip(batch.messages, verdicts, strict=True)
                   if verdict.outcome is not Outcome.AGAIN]  # fmt: skip
        done = [*dict.fromkeys(settled)]  # a queue without order may give a message twice
        await self._in_tens("DeleteMessageBatch", self._config.queue, [self._entry(each) for each in done])
        for each in done:
            self._held.pop(each, None)
        await self._show_again()

    async def dead(self) -> int | None:
        """About how many messages are in the queue of dead ones."""
        name = "ApproximateNumberOfMessages"
        members = {"QueueUrl": self._config.dead_queue, "AttributeNames": [name]}
        answer = await self._calls.call("GetQueueAttributes", members)
        return int(answer["Attributes"][name])

    async def close(self) -> None:
        """Show what was not settled, so that the next start need not wait for it."""
        with suppress(SourceAway):
            await self._show_again()
        await self._calls.close()

    async def _receive(self, most: int, seconds: int) -> list[dict[str, Any]]:
        answer = await self._calls.call(
            "ReceiveMessage",
            {
                "QueueUrl": self._config.queue,
                "MaxNumberOfMessages": min(most, CALL_MESSAGES),
                "WaitTimeSeconds": seconds,
                "VisibilityTimeout": self._config.hidden_seconds,
                "AttributeNames": ["All"],
                "MessageAttributeNames": ["All"],
            },
        )
        return answer.get("Messages") or []

    async def _show_again(self) -> None:
        held, self._held = self._held, {}
        entries = [
            {"Id": key, "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0} for key, each in held.items()
        ]
        await self._in_tens("ChangeMessageVisibilityBatch", self._config.queue, entries)

    async def _in_tens(self, action: str, queue: str, entries: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(entries), CALL_MESSAGES):
            part = entries[start : start + CALL_MESSAGES]
            answer = await self._calls.call(action, {"QueueUrl": queue, "Entries": part})
            if failed := answer.get("Failed"):
                raise SourceAway(f"SQS did not do {action} for {len(failed)} messages: {failed[0].get('Code')}.")

    def _entry(self, identity: str) -> dict[str, Any]:
        return {"Id": identity, "ReceiptHandle": self._held[identity]["ReceiptHandle"]}

    def _as_dead(self, identity: str, verdict: Verdict) -> dict[str, Any]:
        held = self._held[identity]
        problem = verdict.problem[:LONGEST_PROBLEM] or "It is dead."
        entry = {
            "Id": identity,
            "MessageBody": held["Body"],
            "MessageAttributes": {"problem": {"DataType": "String", "StringValue": problem}},
        }
        if self._config.dead_queue.endswith(".fifo"):
            group = held["Attributes"].get("MessageGroupId", identity)
            entry |= {"MessageGroupId": group, "MessageDeduplicationId": identity}
        return entry


def message_of(given: dict[str, Any]) -> Message:
    """The message that SQS gave."""
    number = given["Attributes"].get("SequenceNumber")
    headers = {name: str(each.get("StringValue", "")) for name, each in (given.get("MessageAttributes") or {}).items()}
    version = None if number is None else int(number) // NUMBER_UNIT
    return Message(given["MessageId"], given["Body"].encode(), version, headers)


def _read(secret: Secret, name: str) -> str:
    try:
        return secret.read()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
