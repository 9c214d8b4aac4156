"""Microsoft Teams: a card for an event, posted by a workflow that begins with a webhook.

The workflow's URL is a secret, and posts to one channel or chat. It answers 202 once it has begun; whether it then can
post, it tells its owner alone. It has no key by which it knows a repeated request: a card whose answer was lost comes
twice.

A card of more than 28 KB is refused, so its texts are cut to what fits however their characters are written.
"""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta

from signalpost.destinations import (
    Body,
    Call,
    Context,
    Destination,
    EndpointUrl,
    Input,
    Preset,
    Private,
    Reject,
    Reply,
    Ruling,
    Skip,
    StandIn,
    Template,
    at_stand_in,
    by_status,
    hosted_at,
    or_stand_in,
    origin_of,
    secret,
    shortened,
)

MAX_BYTES: Final = 28 * 1024
MAX_TITLE: Final = 300
MAX_TEXT: Final = 3_500
"""Characters. JSON takes at most six bytes for one, and the link and the rest of the card fit beside these."""
MAX_LINK: Final = 2_000
_HOSTS: Final = (
    ".api.powerplatform.com",
    ".api.gov.powerplatform.microsoft.us",
    ".api.high.powerplatform.microsoft.us",
    ".api.appsplatform.us",
    ".api.powerplatform.partner.microsoftonline.cn",
)
"""The public cloud, those of authorities in the United States, and the one in China."""
_MARKUP: Final = str.maketrans({character: f"\\{character}" for character in "\\*_[]"})


class TeamsConnection(Private, frozen=True, kw_only=True):
    """A workflow in Teams."""

    url: Annotated[
        EndpointUrl,
        secret(
            "Workflow URL",
            "From the workflow's first step, “When a Teams webhook request is received”. Anyone who has it can post.",
            "https://default0123456789.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows"
            "/0123/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=0123",
        ),
        hosted_at(*_HOSTS),
    ]
    stand_in: StandIn = UNSET


class TeamsConfig(Body, frozen=True, kw_only=True):
    """What the card says."""

    title: Annotated[
        Template,
        Meta(
            title="Title",
            description="The first line, in bold.",
            examples=["{{ document.title }} is now {{ document.status }}"],
        ),
    ]
    text: Annotated[
        Template,
        Meta(
            title="Text",
            description="The text below it, in Markdown: **bold**, _italic_, [a link](https://example.com). Values of "
            "placeholders are shown literally.",
            examples=["With {{ document.counterpartyName | default: 'nobody else' }}."],
        ),
    ] = ""
    link: Annotated[
        Template,
        Meta(
            title="Link",
            description="Where the button “Open” leads: an address that begins with https://. Left empty, there is no "
            "button.",
            examples=["https://contracts.example.com/{{ document.externalId }}"],
        ),
    ] = ""


def _preset(name: str, title: str, about: str, card_title: str, when: dict[str, Any]) -> Preset:
    blank = Input(
        name="title",
        title="Title",
        description="The card's first line.",
        pointer="/config/title",
        example=card_title,
        default=card_title,
    )
    link = Input(
        name="link",
        title="Link",
        description="Where the button “Open” leads. Leave it empty for a card without one.",
        pointer="/config/link",
        example="https://contracts.example.com/{{ document.externalId }}",
        default="",
    )
    body = {"eventTypes": ["documentUpdated"], "when": when, "config": {"title": card_title}}
    return Preset(name=name, title=title, about=about, body=body, inputs=(blank, link))


class Teams(Destination[TeamsConnection, TeamsConfig]):
    """Posts a card."""

    kind = "teams"
    title = "Microsoft Teams"
    rate = (4, 1.0)
    connection = TeamsConnection
    config = TeamsConfig
    presets = (
        _preset(
            "teams-executed",
            "Signed contract → card",
            "Tells a channel when a document is signed by everyone.",
            "{{ document.title }} is signed",
            {"field": "document.status", "changedTo": "executed"},
        ),
        _preset(
            "teams-value-changed",
            "Value changed after approval → card",
            "Tells a channel when the value of a contract changes that is approved already.",
            "{{ document.title }} is worth {{ document.contractValue }} in place of {{ before.contractValue }}",
            {
                "all": [
                    {"field": "document.contractValue", "changed": True},
                    {"field": "document.status", "in": ["approved", "awaitingSignature", "signedByClient", "executed"]},
                ]
            },
        ),
    )

    def origins(self, connection: TeamsConnection) -> tuple[str, ...]:
        """The workflow's."""
        return (or_stand_in(origin_of(connection.url), connection.stand_in),)

    def prepare(self, connection: TeamsConnection, config: TeamsConfig, context: Context) -> Call | Skip:
        """The card, in the message that the workflow expects."""
        if not config.title.strip() and not config.text.strip():
            return Skip("The card is empty for this document.")
        card = {
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                *_block(config.title, MAX_TITLE, weight="Bolder", size="Medium"),
                *_block(config.text, MAX_TEXT),
            ],
            "actions": _button(config.link.strip()),
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return Call(
            url=at_stand_in(connection.url, connection.stand_in), json={"type": "message", "attachments": [attachment]}
        )

    def classify(
        self, connection: TeamsConnection, config: TeamsConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """Errors come as `{"error": {"code": …, "message": …}}`."""
        ruling, code = by_status(reply), reply.at("error", "code")
        if isinstance(ruling, Reject) and isinstance(code, str) and code:
            return Reject(code, shortened(f"{code}: {reply.at('error', 'message')}"))
        return ruling

    def escape(self, text: str) -> str:
        """Markdown's characters, so that nothing in a title becomes a link."""
        return text.translate(_MARKUP)


def _block(text: str, most: int, **style: str) -> list[dict[str, Any]]:
    """The block of a text, at a length that fits; none if there is nothing to read."""
    return [{"type": "TextBlock", "wrap": True, "text": text[:most], **style}] if text.strip() else []


def _button(link: str) -> list[dict[str, Any]]:
    """The button to an address; none if it is not one that Teams opens."""
    opens = link.startswith("https://") and link.isascii() and link.isprintable() and len(link) <= MAX_LINK
    return [{"type": "Action.OpenUrl", "title": "Open", "url": link}] if opens else []
