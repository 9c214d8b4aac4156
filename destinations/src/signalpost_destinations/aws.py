"""What the kinds for services of Amazon have in common: the connection, where calls go, and what a refusal means.

The four services have two ways to say what went wrong, JSON and XML, and the same codes in both. A code that is about
the access key disables the subscriptions until a person gives another, since every further call would be refused too.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from msgspec import UNSET, Meta, UnsetType

from signalpost.destinations import (
    Access,
    Body,
    Call,
    Context,
    Destination,
    Done,
    Origin,
    Private,
    Reauthorise,
    Reject,
    Reply,
    Retry,
    Ruling,
    SecretText,
    Throttle,
    by_status,
    retry_after,
    secret,
    shortened,
)
from signalpost_destinations.cloud_events import document_of
from signalpost_destinations.sigv4 import AwsSigner

MAX_BYTES: Final = 256 * 1024
"""What queues, topics and buses take in a message, its attributes included."""
THROTTLE_PAUSE: Final = 5.0
"""Seconds: the limits are per second, and the answer says nothing of when to come again."""
_THROTTLED: Final = re.compile("Throttl|SlowDown|TooManyRequests|RequestLimitExceeded|RateExceeded")
_BAD_KEY: Final = frozenset(
    """AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId InvalidClientTokenId
    InvalidSignatureException InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException
    NotSignedUp SignatureDoesNotMatch UnrecognizedClientException""".split()
)
_BAD_TIME: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
_TIME_IN_WORDS: Final = re.compile("Signature (expired|not yet current)")
_SOON_OVER: Final = frozenset({"InternalError", "InternalFailure", "OperationAborted", "RequestTimeout"})
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorizedException"})
_IN_XML: Final = re.compile(r"<(Code|Message|Region|MessageId)>([^<]{1,2000})</")

F = TypeVar("F", bound=Body)


class AwsConnection(Private, frozen=True, kw_only=True):
    """An access key of a user in an account."""

    region: Annotated[
        str,
        Meta(
            title="Region",
            description="The region, by its code.",
            examples=["eu-central-1"],
            max_length=40,
            pattern="^[a-z]{2}(-[a-z]+)+-[0-9]+$",
        ),
    ]
    access_key_id: Annotated[
        str,
        Meta(
            title="Access key id",
            description="Of a user who may do nothing but what the page of this kind names.",
            examples=["AKIAIOSFODNN7EXAMPLE"],
            min_length=3,
            max_length=128,
            pattern="^[A-Za-z0-9_.-]+$",
        ),
    ]
    secret_access_key: Annotated[
        SecretText,
        secret(
            "Secret access key", "As it is shown once, with the key's id.", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        ),
        Meta(pattern="^[!-~]+$"),
    ]
    endpoint: Annotated[
        Origin | UnsetType,
        Meta(
            title="Endpoint",
            description="An address that is called instead of Amazon's: of a compatible server, or in your network.",
            examples=["https://minio.example.com"],
        ),
    ] = UNSET


class Aws(Destination[AwsConnection, F], Generic[F]):
    """A service of Amazon."""

    service: ClassVar[str]
    """What signatures call it."""
    host: ClassVar[str]
    """The first label of its addresses."""
    needs: ClassVar[str]
    """What the key's user has to be allowed."""
    hints: ClassVar[Mapping[str, str]] = {}
    """What to do about codes of its own."""
    seconds = 10.0
    rate = (300, 1.0)
    at_once = 16
    connection = AwsConnection

    def origins(self, connection: AwsConnection) -> tuple[str, ...]:
        """The service's address in the region, or the server's that stands in for it."""
        return (self.origin(connection),)

    def access(self, connection: AwsConnection) -> Access:
        """Each request is signed."""
        return AwsSigner(
            key_id=connection.access_key_id,
            secret=connection.secret_access_key,
            region=connection.region,
            service=self.service,
        )

    def classify(self, connection: AwsConnection, config: F, context: Context, call: Call, reply: Reply) -> Ruling:
        """Names the message, if it was taken."""
        if not reply.is_success:
            return self.refusal(reply)
        said = said_of(reply).get("MessageId")
        return Done(detail=f"Message {shortened(said)}." if said else "")

    def probed(self, connection: AwsConnection, reply: Reply) -> Ruling:
        """A key that may not list anything is good, too: it was recognised."""
        if said_of(reply).get("Code", "") in DENIED:
            return Done(detail="The key is accepted. Whether it may send there, a sample event shows.")
        return Done() if reply.is_success else self.refusal(reply)

    def origin(self, connection: AwsConnection) -> str:
        """Where calls go."""
        if connection.endpoint is not UNSET:
            return connection.endpoint
        in_china = ".cn" if connection.region.startswith("cn-") else ""
        return f"https://{self.host}.{connection.region}.amazonaws.com{in_china}"

    def asked(self, connection: AwsConnection, target: str, json: Mapping[str, Any], version: str) -> Call:
        """A call of a service that speaks JSON."""
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
        return Call(url=f"{self.origin(connection)}/", json=json, headers=headers)

    def refusal(self, reply: Reply) -> Ruling:
        """What an answer means that is no success."""
        return self.refused(said_of(reply), by_status(reply), retry_after(reply))

    def refused(self, said: Mapping[str, str], otherwise: Ruling, after: float | None = None) -> Ruling:
        """What is meant by a code and what is said with it; `otherwise`, if there is none that is known."""
        code = said.get("Code", "")
        words = shortened(": ".join(each for each in (code, said.get("Message")) if each))
        detail = words or getattr(otherwise, "detail", "")
        if _THROTTLED.search(code) or isinstance(otherwise, Throttle):
            return Throttle(detail, after or THROTTLE_PAUSE)
        if code in _BAD_TIME or _TIME_IN_WORDS.search(words):
            return Retry(f"{detail} Set the clock of the gateway's machine.")
        if code in _BAD_KEY:
            return Reauthorise(detail)
        if code in _SOON_OVER or isinstance(otherwise, Retry):
            return Retry(detail, after)
        if isinstance(otherwise, Reject):
            return Reject(code or otherwise.code, f"{detail} {self._hint(code, said.get('Region'))}".strip())
        return otherwise

    def _hint(self, code: str, region: str | None) -> str:
        """What to do about a code; empty if no more is known than it says itself."""
        if region is not None:
            return f"It is in the region {region}: change the connection's."
        return f"Allow the key's user {self.needs}." if code in DENIED else self.hints.get(code, "")


def said_of(reply: Reply) -> dict[str, str]:
    """The members of an answer that matter, by the names that they have in XML: `Code`, `Message`, `Region`,
    `MessageId`."""
    found = {name: value.strip() for name, value in _IN_XML.findall(reply.body.decode("utf-8", "replace"))}
    kind = reply.at("__type")
    given = {
        "Code": kind.rpartition("#")[2] if isinstance(kind, str) else None,
        "Message": reply.at("message") or reply.at("Message"),
        "MessageId": reply.at("MessageId"),
    }
    return found | {name: value for name, value in given.items() if isinstance(value, str) and value.strip()}


def in_order(name: str, context: Context) -> dict[str, str]:
    """What a message has besides if the queue or topic of this name keeps an order: its group, which is its document,
    and what tells a repeated message from a new one."""
    if not name.endswith(".fifo"):
        return {}
    return {
        "MessageGroupId": document_of(context) or context.event["type"],
        "MessageDeduplicationId": context.event["id"],
    }


def size_of(body: str, attributes: Mapping[str, str]) -> int:
    """How large a message counts: its body, and the names, types and values of its attributes."""
    return len(body.encode()) + sum(len(name) + len("String") + len(value) for name, value in attributes.items())


def too_large(size: int) -> Reject | None:
    """The refusal of a message of so many bytes, attributes included; None if it is taken."""
    if size <= MAX_BYTES:
        return None
    detail = f"The event has {size} bytes with its attributes; a message can have {MAX_BYTES}. Send such events to s3."
    return Reject("too_large", detail)
