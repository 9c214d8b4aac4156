"""A client that a foreign generator makes of the description does the README's walk, with types, against a gateway."""

import datetime
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import PATIENCE

import signalpost_receiver
from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.sender.addresses import parse_allow_targets
from signalpost_receiver import EventType

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

pytestmark = pytest.mark.slow

NOT_GENERATED = {"import_documents"}
"""The generator does not know NDJSON, which is read line by line while it is written."""


class Receiver(LocalServer):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[bytes, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(QuietHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((body, dict(self.headers.items())))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"thanks")


class Api:
    """The generated functions by their names, and the generated types."""

    def __init__(self, world: "World", package: Path) -> None:
        make = import_module(f"{package.name}.client").AuthenticatedClient
        self.models = import_module(f"{package.name}.models")
        self.functions = {
            file.stem: import_module(f"{package.name}.api.{file.parent.name}.{file.stem}").sync_detailed
            for file in package.glob("api/*/[a-z]*.py")
        }
        url = f"http://127.0.0.1:{world.port}"
        self.client = make(base_url=url, token=world.key, raise_on_unexpected_status=True, timeout=PATIENCE)

    def answer(self, name: str, *ids: UUID, **given: Any) -> Any:
        return self.functions[name](*ids, client=self.client, **given)

    def __call__(self, name: str, *ids: UUID, **given: Any) -> Any:
        """The typed answer of a call that goes well."""
        answer = self.answer(name, *ids, **given)
        assert answer.status_code < 300, answer.content
        return answer.parsed


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], receiver: Receiver) -> "World":
    return make_world(allow_targets=parse_allow_targets(receiver.url.rstrip("/")))


@pytest.fixture(scope="module")
def warnings(world: "World", package: Path) -> list[str]:
    """What the generator could not make sense of."""
    # It takes half a second to load, and each process that runs tests loads this file.
    from openapi_python_client import generate
    from openapi_python_client.config import Config, ConfigFile, MetaType

    config = Config.from_sources(
        ConfigFile(post_hooks=[]),
        MetaType.NONE,
        f"http://127.0.0.1:{world.port}/openapi.json",
        "utf-8",
        overwrite=False,
        output_path=package,
    )
    return [f"{error.header} {error.detail}" for error in generate(config=config)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated") / "client_of_the_description"


@pytest.fixture(scope="module")
def api(world: "World", package: Path, warnings: list[str]) -> Iterator[Api]:
    sys.path.insert(0, str(package.parent))
    made = Api(world, package)
    with made.client:
        yield made
    sys.path.remove(str(package.parent))


# --- What is generated ------------------------------------------------------------------------------------------------


def test_the_generator_understands_all_but_ndjson(warnings: list[str]) -> None:
    assert all("Unsupported content type" in warning for warning in warnings), warnings
    assert len(warnings) == len(NOT_GENERATED)


def test_every_call_has_a_function_of_its_name(api: Api) -> None:
    names = {route.name for route in ROUTES} | {route.name for route in OPEN_ROUTES}
    assert set(api.functions) == names - NOT_GENERATED


def test_every_type_has_a_name_that_someone_chose(api: Api, world: "World") -> None:
    """The generator numbers what it cannot name. Of several types one has no class of its own."""
    chosen = set(world.get("/openapi.json").ok()["components"]["schemas"])
    assert chosen <= set(api.models.__all__) | {"ImportDocuments", "ImportedLine", "ActOnDocument"}


# --- The walk ---------------------------------------------------------------------------------------------------------


def test_documents_are_created_read_changed_listed_in_the_log_and_deleted(api: Api) -> None:
    new = api.models.CreateDocument(
        type_="NDA",
        title="Mutual NDA",
        owner_email="owner@example.com",
        author_email="author@example.com",
        start_date="2026-11-24",
        contract_value=1500.5,
    )
    made = api("create_document", body=new)
    assert isinstance(made, api.models.Document)
    assert isinstance(made.external_id, UUID)
    assert made.status is api.models.DocumentStatus.CREATED
    assert made.start_date == "2026-11-24"
    assert made.created_at.tzinfo is not None
    assert api("read_document", made.external_id) == made

    patch = api.models.PatchDocument(title="Second draft")
    etag = api.answer("read_document", made.external_id).headers["etag"]
    assert api("patch_document", made.external_id, body=patch, if_match=etag).title == "Second draft"
    late = api.answer("patch_document", made.external_id, body=patch, if_match=etag)
    assert late.status_code is HTTPStatus.PRECONDITION_FAILED
    assert isinstance(late.parsed, api.models.Problem)

    api("delete_document", made.external_id)
    assert api.answer("read_document", made.external_id).parsed.code == "document_not_found"

    page = api("list_events", external_id=made.external_id)
    assert [entry.event.type_.value for entry in page.data] == ["documentCreated", "documentUpdated", "documentDeleted"]
    assert api("read_event", page.data[0].event.id) == page.data[0]


def test_a_bad_field_is_named(api: Api) -> None:
    bad = api.models.CreateDocument(type_="", title="x", owner_email="nobody", author_email="a@example.com")
    problem = api.answer("create_document", body=bad).parsed
    assert isinstance(problem, api.models.Problem)
    assert {error.pointer for error in problem.errors} == {"/type", "/ownerEmail"}


def test_a_snapshot_is_imported_once_for_each_version_of_its_source(api: Api) -> None:
    identity = UUID("d24c0644-1d31-47fa-960e-b0cc8b4f136c")
    snapshot = api.models.ImportDocument(
        type_="NDA",
        title="Theirs",
        status=api.models.DocumentStatus.EXECUTED,
        created_at=datetime.datetime(2026, 1, 15, 9, 30, tzinfo=datetime.UTC),
        source_app="archive",
        owner_email="owner@example.com",
        author_email="author@example.com",
    )
    assert api.answer("import_document", identity, body=snapshot, source_version=7).status_code is HTTPStatus.CREATED
    again = api.answer("import_document", identity, body=snapshot, source_version=7)
    assert again.headers["signalpost-changed"] == "false"
    assert again.parsed.created_at == snapshot.created_at


def test_an_event_reaches_a_subscriber_and_the_delivery_shows_its_attempt(
    api: Api, world: "World", receiver: Receiver
) -> None:
    types = api.models.EventType
    new = api.models.CreateSubscription(url=receiver.url, event_types=[types.DOCUMENTCREATED])
    made = api("create_subscription", body=new)
    assert isinstance(made, api.models.NewSubscription)
    assert made.status is api.models.SubscriptionStatus.ACTIVE
    assert [each.id for each in api("list_subscriptions").data] == [made.id]

    fields = {"owner_email": "o@example.com", "author_email": "a@example.com"}
    document = api("create_document", body=api.models.CreateDocument(type_="NDA", title="Sent", **fields))
    delivered = api.models.DeliveryStatus.DELIVERED
    page = world.wait_until(
        lambda: (found := api("list_subscription_deliveries", made.id, status=delivered)).data and found
    )
    assert [each.external_id for each in page.data] == [document.external_id]
    delivery = api("read_delivery", made.id, page.data[0].event_id)
    assert isinstance(delivery, api.models.DeliveryWithAttempts)
    assert [(each.number, each.status_code, each.answer) for each in delivery.attempts] == [(1, 200, "thanks")]
    event = signalpost_receiver.Receiver(secrets=made.secret).verify(*receiver.requests[-1])
    assert event.type is EventType.DOCUMENT_CREATED
    assert str(delivery.event_id) == event.id

    assert api.answer("retry_delivery", made.id, delivery.event_id).status_code is HTTPStatus.ACCEPTED
    world.wait_until(lambda: len(receiver.requests) > 1)


def test_a_secret_is_rotated_and_promoted_and_an_endpoint_tried(api: Api, receiver: Receiver) -> None:
    made = api(
        "create_subscription",
        body=api.models.CreateSubscription(url=receiver.url, event_types=[api.models.EventType.DOCUMENTDELETED]),
    )
    rotated = api("rotate_secret", made.id, body=api.models.RotateSecret(overlap_hours=1))
    assert rotated.secret != made.secret
    assert rotated.rotation_ends_at - rotated.updated_at == datetime.timedelta(hours=1)
    assert api("promote_secret", made.id).rotation_ends_at is None
    assert api.answer("promote_secret", made.id).status_code is HTTPStatus.CONFLICT

    tried = api("test_subscription", made.id)
    assert isinstance(tried, api.models.TestResult)
    assert (tried.delivered, tried.status_code, tried.error) == (True, 200, None)
    assert signalpost_receiver.Receiver(secrets=rotated.secret).verify(*receiver.requests[-1]).id == str(tried.event_id)


def test_a_subscription_is_paused_resumed_and_deleted(api: Api, receiver: Receiver) -> None:
    models = api.models
    made = api(
        "create_subscription",
        body=models.CreateSubscription(url=receiver.url, event_types=[models.EventType.DOCUMENTUPDATED]),
    )
    for status in ("paused", "active"):
        changed = api(
            "patch_subscription",
            made.id,
            body=models.PatchSubscription(status=models.PatchSubscriptionStatus(status)),
        )
        assert isinstance(changed, models.Subscription)
        assert changed.status.value == status
    assert api("read_subscription", made.id).health.state.value in ("healthy", "unknown")
    api("delete_subscription", made.id)
    assert api.answer("read_subscription", made.id).status_code is HTTPStatus.NOT_FOUND


def test_a_key_is_made_listed_and_revoked(api: Api) -> None:
    made = api("create_key", body=api.models.CreateKey(name="support desk", role=api.models.Role.OPERATOR))
    assert isinstance(made, api.models.NewKey)
    assert made.key.startswith("sp_")
    assert [each.id for each in api("list_keys").data] == [made.id]
    api("revoke_key", made.id)
    assert api("list_keys").data == []


def test_the_health_of_the_gateway_is_typed(api: Api) -> None:
    assert api("read_liveness").status.value == "live"
    assert api("read_readiness").trouble is None
