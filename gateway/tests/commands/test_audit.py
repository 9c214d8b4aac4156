"""What the audit says of changes: of every command's, without a secret, and whatever a row may have one day."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from gateway.tests.bodies import new_document, subscription_patch, subscription_request
from msgspec.structs import fields, replace

import signalpost.commands
from signalpost.commands.audit import MAX_VALUE_BYTES, described
from signalpost.commands.batch import Batch, BatchContext, KeptAnswer, Rows
from signalpost.commands.command import BaseCommand, Command
from signalpost.commands.connections import CreateConnection, DisconnectConnection, KeepGrant, PatchConnection
from signalpost.commands.correspondence import BeginMail, EndMail
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument, DeleteDocument, DocumentCommand
from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.commands.notices import FollowCondition, OpenCondition, WriteNotice
from signalpost.commands.replays import StartReplay
from signalpost.commands.secrets import RotateSecret
from signalpost.commands.subscriptions import (
    CreateSubscription,
    DeleteSubscription,
    NoteDeliveredTest,
    PatchSubscription,
)
from signalpost.commands.tenants import ChangeTenant, CreateTenant
from signalpost.domain.access.api_key import ApiKey, Role
from signalpost.domain.access.member import Member
from signalpost.domain.access.portal_link import PortalLink, Theme
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.audit import GATEWAY, Actor, EntryDraft, Object
from signalpost.domain.connection import Connection, Granted
from signalpost.domain.delivery.replay import Replay, ReplayChoice, ReplayRange
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import CallerError
from signalpost.domain.key_pair import made_of
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.old_signature import Algorithm, OldSignature
from signalpost.domain.own_tls import Certificate, ClientCertificate
from signalpost.domain.shown_url import STRUCK
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND

NOW = 1_700_000_000 * SECOND
ID = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
SOMEONE = Actor(kind="key", id="k", name="someone", role="operator", source="8.8.8.8", request="r")
CANARY = "canary-4f1d"


class KeptRows:
    """What is kept between batches of one command each."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {"tenants": {1: Tenant(1, "default")}}
        for noun in ("documents", "rows", "answers"):
            self.rows[noun] = {}
        self.told: list[EntryDraft] = []

    def do(self, command: Command[Any], actor: Actor = SOMEONE) -> list[EntryDraft]:
        """The entries of a command. Raises CallerError if it is refused."""
        rows, chance = Rows(**self.rows, numbers={Tenant: [2]}), Random(1)
        batch = Batch(rows, NOW, BatchContext(Links(b"", ""), lambda _: KeptAnswer(b""), chance.getrandbits))
        batch.run(command.asked_by(actor))
        for noun, kept in self.rows.items():
            if noun != "rows":
                kept |= getattr(batch, noun).changed
        for kind in (Subscription, Connection, ApiKey, Member, PortalLink, Replay):
            self.rows["rows"].setdefault(kind, {}).update((row.id, row) for row in batch.changed(kind))
        self.told += batch.audited
        return batch.audited


def subscribe(**given: Any) -> CreateSubscription:
    new = subscription_request(**given)
    return CreateSubscription(
        tenant_id=1, subscription_id=ID, new=new, secret=f"secret-{CANARY}", retry_delays=(10, 60, 300)
    )


def patch(**given: Any) -> PatchSubscription:
    return PatchSubscription(tenant_id=1, subscription_id=ID, patch=subscription_patch(**given))


def connect(**config: Any) -> CreateConnection:
    return CreateConnection(tenant_id=1, connection_id=ID, kind="slack", name="Mine", config=config, needs_consent=True)


def grant(version: int) -> KeepGrant:
    granted = Granted(refresh_token=f"refresh-{CANARY}-{version}")
    return KeepGrant(tenant_id=1, connection_id=ID, granted=granted, of_grant_version=version)


# --- Every command ----------------------------------------------------------------------------------------------------


def commands() -> Iterator[Any]:
    """Every class of a command that there is."""
    for module in pkgutil.iter_modules(signalpost.commands.__path__):
        importlib.import_module(f"signalpost.commands.{module.name}")
    found: list[Any] = [BaseCommand]
    while found:
        found += (each := found.pop()).__subclasses__()
        if hasattr(each, "decide"):
            yield each


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.__name__)
def test_every_command_has_a_name_in_the_audit_or_changes_documents_alone(command: Any) -> None:
    if command.audited_as is None:
        of_looks = issubclass(
            command, (OpenCondition, FollowCondition, WriteNotice, BeginMail, EndMail, NoteDeliveredTest)
        )
        assert of_looks or issubclass(command, DocumentCommand), "only a document has a history of its own"
    else:
        noun, verb = command.audited_as.split(".")
        assert noun
        assert verb


def test_there_are_commands_and_each_noun_is_among_them() -> None:
    nouns = {(each.audited_as or "").partition(".")[0] for each in commands()}
    assert nouns >= {"", "subscription", "connection", "key", "tenant", "replay", "document"}


# --- Who did what -----------------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_to_which_object_when() -> None:
    [told] = KeptRows().do(subscribe(name="Mine"))
    assert (told.actor, told.action, told.at) == (SOMEONE, "subscription.create", NOW)
    assert (told.tenant_id, told.object) == (1, Object("subscription", ID))
    assert told.changes["name"] == {"old": None, "new": "Mine"}


def test_a_change_tells_of_the_members_that_changed_and_of_no_other() -> None:
    kept = KeptRows()
    kept.do(subscribe(name="Mine"))
    [told] = kept.do(patch(status="paused", rateLimit=5, name="Mine"))
    assert told.changes == {"rateLimit": {"old": None, "new": 5}, "status": {"old": "active", "new": "paused"}}


def test_what_changes_nothing_or_is_refused_has_no_entry() -> None:
    kept = KeptRows()
    kept.do(subscribe())
    assert kept.do(patch(status="active")) == []
    with pytest.raises(CallerError):
        kept.do(DeleteSubscription(tenant_id=1, subscription_id=ID, if_match=frozenset({'"9"'})))
    assert len(kept.told) == 1


def test_a_deletion_tells_what_there_was() -> None:
    kept = KeptRows()
    kept.do(subscribe(name="Mine"))
    [told] = kept.do(DeleteSubscription(tenant_id=1, subscription_id=ID))
    assert told.changes["name"] == {"old": "Mine", "new": None}
    assert {change["new"] for change in told.changes.values()} == {None}


def test_a_connection_that_leads_elsewhere_has_an_entry_for_each_subscription_that_moves() -> None:
    kept = KeptRows()
    kept.do(connect(token="t"))
    kept.do(subscribe())
    subscriptions = kept.rows["rows"][Subscription]
    subscriptions[ID] = replace(subscriptions[ID], connection_id=ID)
    moved = PatchConnection(
        tenant_id=1, connection_id=ID, name="Other", url="https://new.example", needs_consent=False, of_version=1
    )
    told = kept.do(moved)
    assert [each.object.kind for each in told] == ["subscription", "connection"]
    assert {each.action for each in told} == {"connection.change"}


def test_a_retry_and_a_replay_tell_of_their_subscription() -> None:
    kept = KeptRows()
    kept.do(subscribe())
    kept.rows["tenants"][1] = Tenant(1, "default", last_sequence=9)
    retry = RetryDelivery(tenant_id=1, subscription_id=ID, sequence=7, event_type=1, event_document_id="d")
    [told] = kept.do(retry)
    assert (told.action, told.object) == ("subscription.retry-delivery", Object("subscription", ID))
    assert told.changes == {"sequence": {"old": None, "new": 7}, "document": {"old": None, "new": "d"}}
    replay = StartReplay(
        tenant_id=1, subscription_id=ID, replay_id="p", choice=ReplayChoice("failed"),
        range=ReplayRange(from_at=NOW, to_at=NOW, from_sequence=1, to_sequence=9), count=3, count_is_capped=False,
    )  # fmt: skip
    [told] = kept.do(replay)
    assert told.object == Object("replay", "p")
    assert told.changes["subscription"] == {"old": None, "new": ID}


def test_what_becomes_of_a_key_is_told_in_its_own_tenant_and_of_a_tenant_in_default() -> None:
    kept = KeptRows()
    kept.do(CreateTenant(tenant_id=1, name="acme"))
    create = CreateKey(tenant_id=2, key_id=ID, tenant="acme", name="app", role=Role.APP, key="sp_x")
    kept.do(create)
    kept.do(RevokeKey(tenant_id=1, key_id=ID))
    kept.do(ChangeTenant(tenant_id=2, name="acme", status="paused"))
    told = [(each.tenant_id, each.action, each.object.id) for each in kept.told]
    assert told == [
        (1, "tenant.create", "acme"),
        (2, "key.create", ID),
        (2, "key.revoke", ID),
        (1, "tenant.change", "acme"),
    ]


def test_of_documents_only_their_deletion_is_told_and_nothing_of_what_was_in_them() -> None:
    kept = KeptRows()
    create = CreateDocument(tenant_id=1, document_id=ID, new=new_document(), source_app="a")
    assert kept.do(create) == []
    [told] = kept.do(DeleteDocument(tenant_id=1, document_id=ID))
    assert (told.action, told.object, told.changes) == ("document.delete", Object("document", ID), {})


def test_a_token_that_the_gateway_renews_by_itself_is_not_told_and_a_consent_is() -> None:
    kept = KeptRows()
    kept.do(connect())
    [consent] = kept.do(grant(0))
    assert consent.changes["state"] == {"old": "needs_consent", "new": "ready"}
    assert consent.changes["granted"] == {"old": None, "new": STRUCK}
    assert kept.do(grant(1), GATEWAY) == []
    [again] = kept.do(grant(2))
    assert again.changes == {"granted": {"old": STRUCK, "new": STRUCK}}
    version = kept.rows["rows"][Connection][ID].version
    cut_off = DisconnectConnection(tenant_id=1, connection_id=ID, left={}, needs_consent=True, of_version=version)
    [cut] = kept.do(cut_off)
    assert cut.changes["granted"] == {"old": STRUCK, "new": None}


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_header_value_or_part_of_a_url_behind_its_origin_is_in_any_entry() -> None:
    kept = KeptRows()
    url = f"https://hooks.example.com:8443/services/{CANARY}?sig={CANARY}"
    kept.do(subscribe(url=url, headers={"X-Key": CANARY}))
    kept.do(patch(url=f"{url}2", headers={"X-Key": f"{CANARY}2", "X-Other": CANARY}))
    kept.do(patch(name=f"{url}3"))
    kept.do(RotateSecret(tenant_id=1, subscription_id=ID, secret=f"new-{CANARY}", overlap_hours=24))
    kept.do(DeleteSubscription(tenant_id=1, subscription_id=ID))
    kept.do(connect(token=CANARY, nested={"password": CANARY}))
    kept.do(grant(0))
    kept.do(CreateKey(tenant_id=1, key_id=ID, tenant="default", name="app", role=Role.APP, key=f"sp_{CANARY}"))
    assert len(kept.told) == 8
    assert CANARY not in msgspec.json.encode(kept.told).decode()
    changed = kept.told[1].changes
    assert changed["url"]["new"] == f"https://hooks.example.com:8443/{STRUCK}"
    assert changed["headers"] == {"old": {"X-Key": STRUCK}, "new": {"X-Key": STRUCK, "X-Other": STRUCK}}
    assert kept.told[3].changes["nextSecret"] == {"old": None, "new": STRUCK}


def test_a_large_value_is_told_by_its_size_and_hash() -> None:
    kept = KeptRows()
    kept.do(subscribe())
    large = {"title": "x" * MAX_VALUE_BYTES}
    subscriptions = kept.rows["rows"][Subscription]
    subscriptions[ID] = replace(subscriptions[ID], config=large)
    [told] = kept.do(DeleteSubscription(tenant_id=1, subscription_id=ID))
    assert told.changes["config"]["old"].keys() == {"bytes", "sha256"}
    assert told.changes["config"]["old"]["bytes"] > MAX_VALUE_BYTES


SAMPLES: tuple[Any, ...] = (
    Subscription(
        id=ID, tenant_id=1, number=1, name="n", url="https://a.example", secret="s", headers={}, status="active",
        ordering="loose", rate_limit=1, retry_delays=(1,), starts_after=0, filters=((0, 7),), created_at=1,
        updated_at=1,
    ),
    Connection(id=ID, tenant_id=1, number=1, kind="k", name="n", config={}, created_at=1, updated_at=1),
    ApiKey(number=1, tenant_id=1, id=ID, name="n", role=Role.APP, hash=b"", created_at=1),
    Member(number=1, tenant_id=1, id=ID, name="n", email="e", role=Role.APP, created_at=1),
    PortalLink(
        number=1, tenant_id=1, id=ID, hash=b"", maker=Ground("key", "k", b""), created_by="o", created_at=1, ends_at=1,
        name="n", subscriptions="all", can=(),
    ),
    Tenant(1, "n"),
    Replay(
        number=1, id=ID, tenant_id=1, subscription_number=1, what="failed", from_at=1, to_at=1, from_sequence=1,
        to_sequence=1, count=1, count_is_capped=False, created_at=1, cursor=0,
    ),
)  # fmt: skip
UNTOLD = {
    "Subscription": "id tenant_id number version created_at updated_at skipped_at skip_version disabled_at"
    " revived_at secret_since url_since headers_since when_since tested_at",
    "Connection": "id tenant_id number version created_at updated_at grant_version held_until",
    "ApiKey": "id tenant_id number hash created_at created_by last_used_at",
    "Member": "id tenant_id number created_at created_by generation invitation invited_until",
    "PortalLink": "id tenant_id number hash maker created_by created_at theme",
    "Tenant": "id last_sequence last_at created_at config_version",
    "Replay": "id tenant_id number subscription_number from_sequence to_sequence count_is_capped created_at cursor "
    "queued finished_at part created_by delivered failed skipped",
}
"""What no caller asks to change. Any other member of a row, also one that it gets one day, shows in the entries."""
ANOTHER: dict[type, Any] = {str: "another", int: 77, bytes: b"77", bool: True}


CERTIFICATE = Certificate(pem=b"p", subject="s", ends_at=1, fingerprint="f")
OTHERS: dict[str, Any] = {
    "sign_also": (OldSignature("X-Old", Algorithm.SHA1, "hex", "{body}", "", "s"),),
    "key_pair": made_of(bytes(32)),
    "next_key_pair": made_of(bytes(32)),
    "client_certificate": ClientCertificate(pem=b"p", subject="s", ends_at=1, fingerprint="f", key=b"k"),
    "authorities": (CERTIFICATE,),
    "oauth": OAuthClient(token_url="https://login.example/token", client_id="c", client_secret="s"),
}


def other_value(row: Any, name: str) -> Any:
    value = getattr(row, name)
    if name in OTHERS:
        return OTHERS[name]
    if name == "filters":
        return ((0, 1),)
    if name in ("headers", "config"):
        return {"x": "y"}
    if name == "granted":
        return Granted(refresh_token="r")
    if isinstance(value, str):
        return f"{value}-other"
    if isinstance(value, int):
        return value + 77
    if name == "retry_delays":
        return (2,)
    if name in ("can", "embed"):
        return ("another",)
    if name == "theme":
        return Theme(name="another")
    if name == "maker":
        return Ground("member", "m", b"")
    [hint] = [each.type for each in fields(type(row)) if each.name == name]
    kinds = [kind for kind in get_args(hint) if kind in ANOTHER]
    return ANOTHER[kinds[0]] if kinds else {"x": "y"}


@pytest.mark.parametrize(("row", "name"), [(row, each.name) for row in SAMPLES for each in fields(type(row))], ids=str)
def test_every_member_of_a_row_shows_when_it_changes_unless_it_is_named_here(row: Any, name: str) -> None:
    changed = replace(row, **{name: other_value(row, name)})
    is_told = described(changed) != described(row)
    if name in ("secret", "next_secret"):
        assert STRUCK in json.dumps(described(changed))
        return
    assert is_told == (name not in UNTOLD[type(row).__name__].split())
