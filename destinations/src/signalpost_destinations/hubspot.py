"""HubSpot: properties of a record change with the document. Any object: deals, contacts, companies, the account's own.

The record is found by its id in HubSpot, or by a property whose values are unique. No record is created. A change that
is made twice is made once: it sets the same values.

HubSpot names the cause of a refusal as a `category`. Its answer at a limit says which limit it is, but not how long to
wait. The daily one ends at midnight in the account's time zone: everything waits a quarter of an hour, and asks again.
"""

from typing import Annotated, Final, Literal
from urllib.parse import quote

from msgspec import UNSET, Meta

from signalpost.destinations import (
    Access,
    Bad,
    Body,
    Call,
    Context,
    Destination,
    Done,
    Fixed,
    Input,
    Preset,
    Private,
    Reject,
    Reply,
    Retry,
    Ruling,
    SecretText,
    Skip,
    StandIn,
    Template,
    Throttle,
    Value,
    by_status,
    or_stand_in,
    retry_after,
    secret,
    shortened,
    written,
)

API_ORIGIN: Final = "https://api.hubapi.com"
DAILY_PAUSE: Final = 900.0
BURST_PAUSE: Final = 10.0
"""Seconds: HubSpot counts calls in windows of so many."""
MAX_PROPERTIES: Final = 50
_SOON_OVER: Final = (423, 477)
"""The record is locked; the account is being moved to another data centre."""

PropertyName = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[a-z][a-z0-9_]*$")]


class HubSpotConnection(Private, frozen=True, kw_only=True):
    """A private app of an account."""

    token: Annotated[
        SecretText,
        secret(
            "Access token",
            "From the private app's page “Auth”, with the scopes crm.objects.deals.write or those of your objects.",
            "pat-eu1-01234567-89ab-cdef-0123-456789abcdef",
        ),
        Meta(pattern="^[!-~]+$"),
    ]
    stand_in: StandIn = UNSET


class HubSpotConfig(Body, frozen=True, kw_only=True):
    """Which record changes, and to what."""

    object: Annotated[
        str,
        Meta(
            title="Object",
            description="The object's API name; for custom objects, their type id.",
            examples=["deals", "contacts", "2-3465404"],
            min_length=1,
            max_length=100,
            pattern="^[a-zA-Z0-9_-]+$",
        ),
    ] = "deals"
    match_property: Annotated[
        PropertyName | None,
        Meta(
            title="Found by",
            description="A property whose values are unique, such as email of contacts; null for the record's id.",
            examples=["contract_number", None],
        ),
    ] = None
    match_value: Annotated[
        Template,
        Meta(
            title="Has the value",
            description="The value by which the document's record is found in that property.",
            examples=["{{ document.referenceId }}"],
        ),
    ]
    properties: Annotated[
        dict[PropertyName, Value],
        Meta(
            title="Properties",
            description="The properties to set, by their internal names. An empty text clears one.",
            examples=[{"dealstage": "closedwon", "amount": "{{ document.contractValue }}"}],
            max_length=MAX_PROPERTIES,
        ),
    ]
    when_missing: Annotated[
        Literal["fail", "leave"],
        Meta(
            title="If there is none",
            description="If there is no such record: fail, or leave it (send nothing).",
            examples=["fail"],
        ),
    ] = "fail"


class HubSpot(Destination[HubSpotConnection, HubSpotConfig]):
    """Sets properties of a record."""

    kind = "hubspot"
    title = "HubSpot"
    seconds = 10.0
    rate = (90, 10.0)
    latest_wins = True
    connection = HubSpotConnection
    config = HubSpotConfig
    presets = (
        Preset(
            name="hubspot-executed-deal",
            title="Signed contract → deal",
            about="Moves the deal whose id the document has as its reference once everyone has signed. Creates none.",
            body={
                "eventTypes": ["documentUpdated"],
                "when": {
                    "all": [
                        {"field": "document.status", "changedTo": "executed"},
                        {"field": "document.referenceId", "exists": True},
                    ]
                },
                "config": {"matchValue": "{{ document.referenceId }}", "properties": {"dealstage": "closedwon"}},
            },
            inputs=(
                Input(
                    name="stage",
                    title="Stage",
                    description="The internal name of a stage of the deal's pipeline.",
                    pointer="/config/properties/dealstage",
                    example="contractsigned",
                    default="closedwon",
                ),
                Input(
                    name="matchProperty",
                    title="Found by",
                    description="A property of deals whose values are unique; leave it empty for the deal's id.",
                    pointer="/config/matchProperty",
                    example="contract_number",
                    default=None,
                ),
                Input(
                    name="matchValue",
                    title="Has the value",
                    description="The value by which the document's deal is found in that property.",
                    pointer="/config/matchValue",
                    example="{{ document.externalId }}",
                    default="{{ document.referenceId }}",
                ),
            ),
        ),
    )

    def check(self, connection: HubSpotConnection, config: HubSpotConfig) -> None:
        """There is something to set."""
        if not config.properties:
            raise Bad("wrong_length", "Name at least one property to set.", ("properties",))

    def origins(self, connection: HubSpotConnection) -> tuple[str, ...]:
        """HubSpot's API."""
        return (_origin(connection),)

    def access(self, connection: HubSpotConnection) -> Access:
        """The private app's token, which does not end by itself."""
        return Fixed(f"Bearer {connection.token}")

    def prepare(self, connection: HubSpotConnection, config: HubSpotConfig, context: Context) -> Call | Skip:
        """The change of the record."""
        value = config.match_value.strip()
        if not value or value in (".", ".."):
            return Skip(f"The document has no value to find one of the {config.object} by.")
        by = "" if config.match_property is None else f"?idProperty={config.match_property}"
        return Call(
            method="PATCH",
            url=f"{_origin(connection)}/crm/v3/objects/{config.object}/{quote(value, safe='')}{by}",
            json={"properties": {name: written(each) for name, each in config.properties.items()}},
        )

    def classify(
        self, connection: HubSpotConnection, config: HubSpotConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """Errors come as `{"category": …, "message": …}`, those at a limit with a `policyName`."""
        if reply.is_success:
            record = reply.at("id")
            return Done(made={"id": record} if isinstance(record, str) else UNSET)
        if reply.status == 404 and config.when_missing == "leave" and reply.at("category") == "OBJECT_NOT_FOUND":
            return Done(detail=f"None of the {config.object} is that one; nothing was changed.")
        return _refusal(reply)

    def probe(self, connection: HubSpotConnection) -> Call | None:
        """Asks which account the token is for."""
        return Call(method="GET", url=f"{_origin(connection)}/account-info/v3/details")

    def probed(self, connection: HubSpotConnection, reply: Reply) -> Ruling:
        """Names what HubSpot names."""
        return Done() if reply.is_success else _refusal(reply)


def _origin(connection: HubSpotConnection) -> str:
    return or_stand_in(API_ORIGIN, connection.stand_in)


def _refusal(reply: Reply) -> Ruling:
    ruling, category = by_status(reply), reply.at("category")
    said = f"{category}: {reply.at('message')}" if isinstance(category, str) and category else None
    detail = f"HubSpot answered {reply.status}." if said is None else shortened(said)
    if isinstance(ruling, Throttle):
        pause = DAILY_PAUSE if reply.at("policyName") == "DAILY" else BURST_PAUSE
        return Throttle(detail, retry_after(reply) or pause)
    if reply.status in _SOON_OVER:
        return Retry(detail, retry_after(reply))
    if isinstance(ruling, Reject) and said is not None:
        return Reject(str(category), detail)
    return ruling
