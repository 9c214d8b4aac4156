"""A kind that keeps every promise, and for each promise kinds that break it."""

import socket
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from signalpost.destinations import (
    Access,
    Body,
    Call,
    Context,
    Destination,
    Done,
    EndpointUrl,
    Fixed,
    Grant,
    Input,
    Preset,
    Private,
    Reject,
    Reply,
    RequestToSign,
    Retry,
    Ruling,
    SecretText,
    Signer,
    Skip,
    Template,
    Then,
    Throttle,
    by_status,
    origin_of,
    secret,
)


class Hook(Private, frozen=True, kw_only=True):
    url: Annotated[EndpointUrl, secret("URL", "Where messages go.", "https://pigeon.example/hook")]
    token: Annotated[SecretText, secret("Token", "What lets one in.", "t0k3n-of-mine")]


class Message(Body, frozen=True, kw_only=True):
    text: Annotated[Template, Meta(title="Text", description="What it says.", examples=["{{ document.title }}"])]


class Kept(Destination[Hook, Message]):
    """Every promise is kept."""

    kind = "kept"
    title = "Kept"
    connection = Hook
    config = Message
    presets = (
        Preset(
            name="kept-signed",
            title="Signed → message",
            about="Says that a document is signed.",
            body={
                "eventTypes": ["documentUpdated"],
                "when": {"field": "document.status", "changedTo": "executed"},
                "config": {"text": "signed"},
            },
            inputs=(
                Input(name="text", title="Text", description="What it says.", pointer="/config/text", example="signed"),
            ),
        ),
    )

    def origins(self, connection: Hook) -> tuple[str, ...]:
        return (origin_of(connection.url),)

    def access(self, connection: Hook) -> Access:
        return Fixed(f"Bearer {connection.token}")

    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        if not config.text.strip():
            return Skip("The message is empty.")
        return Call(url=connection.url, json={"text": config.text, "key": context.key})

    def probe(self, connection: Hook) -> Call | None:
        return Call(url=connection.url, method="GET")

    def discover(self, connection: Hook) -> Call | None:
        return Call(url=connection.url, method="GET")

    def discovered(self, connection: Hook, reply: Reply) -> dict[str, str]:
        if not isinstance(reply.at("account"), str):
            raise ValueError("The answer names no account.")
        return {"account": reply.at("account")}


# --- What it says of itself -------------------------------------------------------------------------------------------


class Future(Kept):
    api = 2


class Shouting(Kept):
    kind = "SHOUTING"


class Endless(Kept):
    class Texts(Body, frozen=True, kw_only=True):
        texts: Annotated[list[str], Meta(title="Texts", description="All of them.", examples=[[]])]

    config = Texts  # type: ignore[assignment]


class Untitled(Destination[Hook, Message]):
    """This one forgot some of what every kind has."""

    kind = "untitled"
    config = Message

    def origins(self, connection: Hook) -> tuple[str, ...]:
        return (origin_of(connection.url),)

    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url)


class Mute(Kept):
    class Untold(Body, frozen=True, kw_only=True):
        text: Template = ""

    config = Untold  # type: ignore[assignment]


class BadExample(Kept):
    class Short(Body, frozen=True, kw_only=True):
        text: Annotated[str, Meta(title="T", description="Short.", examples=["too long"], max_length=3)] = ""

    config = Short  # type: ignore[assignment]


class BadDefault(Kept):
    class Signed(Body, frozen=True, kw_only=True):
        text: Annotated[Template, Meta(title="T", description="What it says.", examples=["Signed"])] = "{{ title }}"

    config = Signed  # type: ignore[assignment]


class Undescribed(Kept):
    __doc__ = None


class LostBlank(Kept):
    presets = (replace(Kept.presets[0], inputs=[replace(Kept.presets[0].inputs[0], pointer="/config/lines/0/text")]),)


class BadPreset(Kept):
    presets = (replace(Kept.presets[0], body={**Kept.presets[0].body, "config": {"txt": "signed"}}, inputs=()),)


class WrongType(Kept):
    presets = (replace(Kept.presets[0], body={**Kept.presets[0].body, "eventTypes": ["documentSigned"]}),)


class BadCondition(Kept):
    presets = (
        replace(
            Kept.presets[0], body={**Kept.presets[0].body, "when": {"field": "document.titel", "is": "x"}}, inputs=()
        ),
    )


class ClumsyCheck(Kept):
    def check(self, connection: Hook, config: Message) -> None:
        if config.text:
            assert config.text[0] != "\r"


# --- Its calls --------------------------------------------------------------------------------------------------------


class Trusting(Kept):
    """This one takes for granted that every document has a counterparty."""

    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, json=context.document["counterpartyName"].upper())


class Silent(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Skip("Never.")


class Speechless(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Skip("")


class Nonsense(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Any:
        return {"url": connection.url}


class Unwritable(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, json=object())


class Injecting(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, headers={"x-title": config.text})


class Straying(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url="https://elsewhere.example/hook", json=config.text)


class StrayingLater(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Then(Call(url="https://elsewhere.example/hook")) if reply.status == 409 else by_status(reply)


class StrayingProbe(Kept):
    def probe(self, connection: Hook) -> Call | None:
        return Call(url="https://elsewhere.example/me")


class StrayingGrant(Kept):
    def access(self, connection: Hook) -> Access:
        return Grant(url="https://login.example/token", form={})


class NoOrigin(Kept):
    def origins(self, connection: Hook) -> tuple[str, ...]:
        return (connection.url,)


class Dialling(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        socket.socket().close()
        return super().prepare(connection, config, context)


class Writing(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        try:
            Path("/tmp/replies").open("a").close()
        except Exception:
            return by_status(reply)
        return by_status(reply)


class Greedy(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        dict(context.event)["data"]["document"].pop("additionalFacts", None)
        return super().prepare(connection, config, context)


class Remembering(Kept):
    def __init__(self) -> None:
        self._numbers = count()

    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, json=next(self._numbers))


class Clocked(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, json={"at": time.time()})


class Counting(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        return Call(url=connection.url, json={"text": config.text, "attempt": context.attempt})


class Threading(Kept):
    """What it sends first becomes a thread, in which later events go; nothing tells it from one that keeps promises."""

    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        made = super().prepare(connection, config, context)
        return self.follow_up(context) if isinstance(made, Call) and "id" in context.made else made

    def follow_up(self, context: Context) -> Call | Skip:
        return Call(url="https://pigeon.example/hook", json={"thread": context.made["id"]})

    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        ruling = by_status(reply)
        return Done(made={"id": "m-1"}) if isinstance(ruling, Done) else ruling


class ThreadingByTheClock(Threading):
    def follow_up(self, context: Context) -> Call | Skip:
        return Call(url="https://pigeon.example/hook", json={"at": time.time()})


class ThreadingAstray(Threading):
    def follow_up(self, context: Context) -> Call | Skip:
        return Call(url="https://elsewhere.example/hook")


class ThreadingByLuck(Threading):
    def follow_up(self, context: Context) -> Call | Skip:
        return Call(url="https://pigeon.example/hook", json=context.made["ts"])


# --- The vendor's answers ---------------------------------------------------------------------------------------------


class NeverPleased(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Retry("It could be better.")


class Endlessly(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Then(call)


class Credulous(Kept):
    """This one takes every answer for JSON of the form that it knows."""

    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Done(made={"id": reply.json["id"]}) if reply.status == 201 else by_status(reply)


class Forgetful(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Any:
        return by_status(reply) if reply.status != 422 else None


class Numbers(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Done(made={"id": 7}) if reply.status == 201 else by_status(reply)  # type: ignore[dict-item]


class Hopeful(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Done()


class Patient(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Throttle("Slow down.", float("inf")) if reply.status == 429 else by_status(reply)


class Nameless(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Reject(reply.at("error"), "No.") if reply.status == 400 else by_status(reply)


class Accepting(Kept):
    """This one takes for a text what the vendor documents as a text."""

    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return Done(made={"id": reply.at("id") or ""}) if reply.status == 201 else by_status(reply)


class Waiting(Kept):
    """This one waits for as long as the vendor's own member says."""

    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        wait = reply.at("extras", "wait")
        return Throttle("Slow down.", wait) if wait is not None else by_status(reply)


class BadProbe(Kept):
    def probed(self, connection: Hook, reply: Reply) -> Ruling:
        return Done() if reply.json["ok"] else Retry("Not yet.")


class BadDiscovery(Kept):
    def discovered(self, connection: Hook, reply: Reply) -> dict[str, str]:
        return {"account": reply.json[0]["id"]}


# --- Signatures -------------------------------------------------------------------------------------------------------


class SigningByLuck(Kept):
    class Luck(Signer, frozen=True):
        def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
            return {"x-signed": str(next(_SIGNED))}

    def access(self, connection: Hook) -> Access:
        return self.Luck()


class SigningBadly(Kept):
    class Badly(Signer, frozen=True):
        def sign(self, request: RequestToSign, now: int) -> Mapping[str, str]:
            return {"x-signed": "\r\n"}

    def access(self, connection: Hook) -> Access:
        return self.Badly()


_SIGNED = count()

# --- Secrets and speed ------------------------------------------------------------------------------------------------


class Open(Kept):
    class OpenHook(Body, frozen=True, kw_only=True):
        url: Annotated[EndpointUrl, secret("URL", "Where messages go.", "https://pigeon.example/hook")]
        token: Annotated[SecretText, secret("Token", "What lets one in.", "t0k3n-of-mine")]

    connection = OpenHook  # type: ignore[assignment]


class Unmarked(Kept):
    class UnmarkedHook(Private, frozen=True, kw_only=True):
        url: EndpointUrl
        token: SecretText

    connection = UnmarkedHook  # type: ignore[assignment]


class SecretConfig(Kept):
    class SecretMessage(Body, frozen=True, kw_only=True):
        text: Annotated[SecretText, secret("Text", "What it says.", "psst")]

    config = SecretMessage  # type: ignore[assignment]


class Talkative(Kept):
    def classify(self, connection: Hook, config: Message, context: Context, call: Call, reply: Reply) -> Ruling:
        return by_status(reply) if reply.status != 404 else Reject("404", f"There is no {connection.url}.")


class TalkativeSkip(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        made = super().prepare(connection, config, context)
        return Skip(f"Nothing for {connection.token}.") if isinstance(made, Skip) else made


class TalkativeReject(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip | Reject:  # type: ignore[override]
        made = super().prepare(connection, config, context)
        return Reject("no", f"Nothing for {connection.token}.") if isinstance(made, Skip) else made


class Sleepy(Kept):
    def prepare(self, connection: Hook, config: Message, context: Context) -> Call | Skip:
        time.sleep(0.02)
        return super().prepare(connection, config, context)
