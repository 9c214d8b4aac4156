"""Salesforce: fields of a record change with the document. Any object: leads, opportunities, the organisation's own.

The record is found by its Salesforce id, or by a field that the organisation keeps another system's number in. No
record is created unless the subscription says so: by id a record can only be changed, and by another field the call
says `updateOnly`.

Salesforce says in its answers what refused a change. A locked row or a server that is away is tried again. The
organisation's daily limit comes without a time, so everything waits a quarter of an hour. What a validation rule, a
trigger or a picklist refused, it would refuse again. An access token's end is not announced: a 401 says it.

A change that is made twice is made once: it sets the same values.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from urllib.parse import quote

from msgspec import UNSET, Meta

from signalpost.destinations.access import Access, Grant, Held, Revocation
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Private, SecretText, Template, Value, secret
from signalpost.destinations.members import (
    JWT_BEARER,
    ClientId,
    Origin,
    PrivateKey,
    StandIn,
    hosted_at,
    or_stand_in,
    shortened,
)
from signalpost.destinations.presets.salesforce import PRESETS
from signalpost.destinations.rulings import Done, Reject, Retry, Ruling, Throttle, by_status, retry_after
from signalpost.domain.body import Body
from signalpost.domain.checks import Bad, Several

API_VERSION: Final = "v66.0"
LIMIT_PAUSE: Final = 900.0
"""Seconds to wait after the organisation's limit of calls, whose answer names no time."""
MAX_FIELDS: Final = 50
_HOSTS: Final = (".my.salesforce.com", ".my.salesforce.mil", ".my.sfcrmproducts.cn")
_SOON_OVER: Final = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE"})
_ID: Final = "Id"

ApiName = Annotated[str, Meta(min_length=1, max_length=80, pattern="^[A-Za-z][A-Za-z0-9_]*$")]


class ExternalClientApp(Private, frozen=True, kw_only=True, tag_field="with", tag="clientCredentials"):
    """The consumer key and secret of an external client app, which runs as a user that it names."""

    client_id: ClientId
    client_secret: Annotated[
        SecretText,
        secret("Consumer secret", "From the external client app, “OAuth Settings”.", "1955279925675241571"),
    ]


class Jwt(Private, frozen=True, kw_only=True, tag_field="with", tag="jwt"):
    """A private key whose certificate the external client app knows, and the user to act as."""

    client_id: ClientId
    username: Annotated[
        str,
        Meta(
            title="User",
            description="The user name of the Salesforce user to act as; the app must be pre-authorised for it.",
            examples=["signalpost@example.com"],
            min_length=3,
            max_length=255,
        ),
    ]
    private_key: Annotated[
        PrivateKey,
        secret("Private key", "An RSA key in PEM; its certificate belongs to the app.", "-----BEGIN PRIVATE KEY-----…"),
    ]
    sandbox: Annotated[
        bool,
        Meta(
            title="Sandbox",
            description="Whether the organisation is a sandbox, whose logins are at test.salesforce.com.",
            examples=[False],
        ),
    ] = False


class SalesforceConnection(Body, frozen=True, kw_only=True):
    """An organisation in Salesforce, and how the gateway signs in there."""

    domain: Annotated[
        Origin,
        Meta(
            title="My Domain",
            description="The organisation's own address, from Setup, “My Domain”.",
            examples=["https://example.my.salesforce.com"],
        ),
        hosted_at(*_HOSTS),
    ]
    sign_in: Annotated[
        ExternalClientApp | Jwt,
        Meta(
            title="Signs in with",
            description="The app's consumer key and secret, or a private key and a user.",
            examples=[{"with": "clientCredentials", "clientId": "3MVG9", "clientSecret": "1955279925675241571"}],
        ),
    ]
    stand_in: StandIn = UNSET


class SalesforceConfig(Body, frozen=True, kw_only=True):
    """Which record changes, and to what."""

    object: Annotated[
        ApiName,
        Meta(
            title="Object",
            description="The object's API name; those of custom objects end in __c.",
            examples=["Opportunity", "Lead", "Contract__c"],
        ),
    ]
    match_field: Annotated[
        ApiName,
        Meta(
            title="Found by",
            description="The field that finds the record: Id, or an external id field.",
            examples=["Id", "Contract_Number__c"],
        ),
    ] = _ID
    match_value: Annotated[
        Template,
        Meta(
            title="Has the value",
            description="The value by which the document's record is found in that field.",
            examples=["{{ document.referenceId }}"],
        ),
    ]
    fields: Annotated[
        dict[ApiName, Value],
        Meta(
            title="Fields",
            description="The fields to set, by their API names.",
            examples=[{"StageName": "Closed Won", "Amount": "{{ document.contractValue }}"}],
            max_length=MAX_FIELDS,
        ),
    ]
    when_missing: Annotated[
        Literal["fail", "leave", "create"],
        Meta(
            title="If there is none",
            description="If there is no such record: fail, leave it (send nothing), or create it (not by Id).",
            examples=["fail"],
        ),
    ] = "fail"


class Salesforce(Destination[SalesforceConnection, SalesforceConfig]):
    """Sets fields of a record."""

    kind = "salesforce"
    title = "Salesforce"
    seconds = 15.0  # triggers of an organisation run before the answer
    rate = (10, 1.0)
    latest_wins = True
    connection = SalesforceConnection
    config = SalesforceConfig
    presets = PRESETS

    def check(self, connection: SalesforceConnection, config: SalesforceConfig) -> None:
        """A record cannot be created by an id, and what finds it cannot be set too."""
        bads: list[Bad] = []
        by_id = config.match_field.lower() == _ID.lower()
        if not config.fields:
            bads.append(Bad("wrong_length", "Name at least one field to set.", ("fields",)))
        if by_id and config.when_missing == "create":
            detail = "Salesforce makes the ids itself. Find the record by an external id field to create it."
            bads.append(Bad("not_allowed", detail, ("whenMissing",)))
        bads += [
            Bad("not_allowed", "This field is used to find the record, so it cannot be set.", ("fields", name))
            for name in config.fields
            if name.lower() in (_ID.lower(), config.match_field.lower())
        ]
        if bads:
            raise Several(bads)

    def origins(self, connection: SalesforceConnection) -> tuple[str, ...]:
        """The organisation's own domain, for tokens and calls alike."""
        return (_origin(connection),)

    def access(self, connection: SalesforceConnection) -> Access:
        """A token from the organisation's own domain."""
        sign_in, url = connection.sign_in, f"{_origin(connection)}/services/oauth2/token"
        if isinstance(sign_in, ExternalClientApp):
            form = {"grant_type": "client_credentials"}
            return Grant(url=url, form=form, basic=(sign_in.client_id, sign_in.client_secret))
        return Grant(
            url=url,
            form={"grant_type": JWT_BEARER},
            claims={
                "iss": sign_in.client_id,
                "sub": sign_in.username,
                "aud": f"https://{'test' if sign_in.sandbox else 'login'}.salesforce.com",
            },
            signing_key=sign_in.private_key,
        )

    def prepare(self, connection: SalesforceConnection, config: SalesforceConfig, context: Context) -> Call | Skip:
        """The change of the record."""
        value = config.match_value.strip()
        if value in ("", ".", ".."):  # the last two would lead to another resource
            return Skip(f"The document has no value to find the {config.object} by.")
        records = f"{_data(connection)}/sobjects/{config.object}"
        if config.match_field.lower() == _ID.lower():
            url = f"{records}/{quote(value, safe='')}"
        else:
            update_only = "" if config.when_missing == "create" else "?updateOnly=true"
            url = f"{records}/{config.match_field}/{quote(value, safe='')}{update_only}"
        return Call(method="PATCH", url=url, json=dict(config.fields))

    def classify(
        self,
        connection: SalesforceConnection,
        config: SalesforceConfig,
        context: Context,
        call: Call,
        reply: Reply,
    ) -> Ruling:
        """What Salesforce's answer means."""
        if reply.is_success:
            record = reply.at("id")
            return Done(made={"id": record} if isinstance(record, str) else UNSET)
        if reply.status == 300:
            detail = f"Several {config.object} records have this {config.match_field}."
            return Reject("MULTIPLE_RECORDS", detail)
        if reply.status == 404 and config.when_missing == "leave":
            return Done(detail=f"There is no such {config.object}; it was left.")
        return _refusal(reply)

    def probe(self, connection: SalesforceConnection) -> Call | None:
        """Asks what the API has, which every user who can sign in may know."""
        return Call(method="GET", url=_data(connection))

    def revocations(self, connection: SalesforceConnection, held: Held) -> Sequence[Revocation]:
        """The access token ends. The app's secret or certificate is the organisation's to take away."""
        if not held.access_token:
            return ()
        url = f"{_origin(connection)}/services/oauth2/revoke"
        return (Revocation(call=Call(url=url, form={"token": held.access_token}, authorised=False)),)

    def revoked(self, connection: SalesforceConnection, reply: Reply) -> Ruling:
        """Says what goes on working."""
        if reply.is_success or reply.at("error") == "invalid_token":
            return Done(
                detail="Salesforce no longer accepts the token. The app's own secret or key works until you change it."
            )
        return by_status(reply)


def _origin(connection: SalesforceConnection) -> str:
    return or_stand_in(connection.domain, connection.stand_in)


def _data(connection: SalesforceConnection) -> str:
    return f"{_origin(connection)}/services/data/{API_VERSION}"


def _refusal(reply: Reply) -> Ruling:
    """Errors come as `[{"errorCode": …, "message": …}]`, except if a proxy answers in HTML."""
    code, message = reply.at(0, "errorCode"), reply.at(0, "message")
    if not isinstance(code, str):
        return by_status(reply)
    detail = shortened(f"{code}: {message}")
    if code in _SOON_OVER:
        return Retry(detail, retry_after(reply))
    if code == "REQUEST_LIMIT_EXCEEDED":
        return Throttle(detail, retry_after(reply) or LIMIT_PAUSE)
    ruling = by_status(reply)
    return Reject(code, detail) if isinstance(ruling, Reject) else ruling
