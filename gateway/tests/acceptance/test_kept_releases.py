"""A database that a released version left is opened by this one: it says what was said, and sends what was owed."""

import hashlib
import hmac
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from gateway.tests.acceptance import kept_release as kept
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.conftest import Endpoints, Gateways
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.acceptance.receiver import ReceivedRequest
from gateway.tests.postgres import server
from gateway.tests.sqlite_file import database_file

from signalpost_receiver import Receiver

pytestmark = pytest.mark.slow


def numbers(folder: Path) -> list[int]:
    return [int(number) for number in folder.name.split(".")]


FOLDERS = sorted(kept.KEPT.iterdir(), key=numbers)[-3:]
"""What the newest versions left: each run of the tests opens it, so it does not open what every version left."""


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def database(kind: str, folder: Path, tmp_path: Path) -> str:
    """The URL of the database that the version left."""
    if kind == "sqlite":
        file = database_file(tmp_path / "data-0")  # where the first gateway of the test has its data
        file.parent.mkdir(mode=0o700)
        file.write_bytes(kept.unpacked(folder / kept.SQLITE))
        return f"sqlite:///{file}"
    name = f"kept_{'_'.join(map(str, numbers(folder)))}"
    with psycopg.connect(server().url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server().loopback_url(name)
    kept.restore(url, kept.unpacked(folder / kept.POSTGRES))
    return url


@pytest.fixture
def gateway(database: str, gateways: Gateways) -> GatewayProcess:
    """A gateway of this version on the database."""
    return gateways(**{**kept.SETTINGS, "database_url": database})


@pytest.fixture
def said(folder: Path, kind: str) -> dict[str, Any]:
    """What the version answered."""
    return kept.unpacked_answers(folder, kind)


def test_the_database_of_an_earlier_version_says_what_it_said_and_what_was_owed_is_sent_once(
    gateway: GatewayProcess, said: dict[str, Any], database: str, endpoint: Endpoints
) -> None:
    api = gateway.api
    for question, before in said.items():
        assert [*kept.unsaid(before, kept.answer(api, question), question)] == []

    owed = kept.owed(said)
    ends = {subscription: endpoint() for subscription in owed}
    api.ask("PATCH", "/v1/tenants/default", {"status": "active"})
    for each in said[kept.SUBSCRIPTIONS]["data"]:
        api.change_subscription(each, status="paused")  # its endpoint is gone
    api.ask(
        "POST", f"/v1/subscriptions/{owed.failing}/replays", {"status": "waiting", "from": kept.LONG_AGO}, expect=202
    )
    for subscription, end in ends.items():
        api.change_subscription({"id": subscription}, url=end.url, status="active")
    [new] = api.events_of(api.create(title="After the upgrade"))
    for subscription, end in ends.items():
        deliveries = said[kept.deliveries_of(subscription)]["data"]
        events = [each["eventId"] for each in deliveries if each["title"] is not None]  # what was erased is not sent
        assert len(events) > 20, "all that happened is owed"
        until(partial(is_done, api, subscription))
        assert sorted(request.id for request in end.requests) == sorted([*events, new["id"]])
        check_signed(end.requests)
    check_signed_for_the_other_system(ends[owed.paused].requests)
    assert gateway.stop() == 0
    run_command("db", "check", SIGNALPOST_DATABASE_URL=database)


def is_done(api: Client, subscription: str) -> bool:
    replays = {each["state"] for each in api.ask("GET", f"/v1/subscriptions/{subscription}/replays")["data"]}
    deliveries = {each["status"] for each in api.deliveries({"id": subscription})}
    return replays == {"finished"} and deliveries == {"delivered", "skipped"}


def check_signed(requests: list[ReceivedRequest]) -> None:
    receiver = Receiver(secrets=kept.SECRET)
    for request in requests:
        receiver.verify(request.body, request.headers)


def check_signed_for_the_other_system(requests: list[ReceivedRequest]) -> None:
    for request in requests:
        timestamp = request.headers["webhook-timestamp"]
        content = f"{timestamp},".encode() + request.body
        signature = hmac.new(kept.FORMER_SECRET.encode(), content, hashlib.sha256).hexdigest()
        assert request.headers["x-convoy-signature"] == f"t={timestamp},v1={signature}"
