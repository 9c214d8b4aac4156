"""A gateway with one of everything that a form of the console or the portal changes, and what is stored of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.tests.api.conftest import Answer, World
from gateway.tests.console.conftest import Browser
from gateway.tests.console.drawn_configs import Schema, mended
from gateway.tests.console.forms_as_sent import SentForm, forms_of
from gateway.tests.console.test_portal import ALL, Guest
from gateway.tests.destinations.kinds import PEM

from signalpost.api.routing.path_table import PathTable
from signalpost.console.page import Page
from signalpost.console.pages import PAGES
from signalpost.console.portal.pages import PAGES as PORTAL_PAGES

CONSOLE = "/console/t/default"
PORTAL = "/portal"
STORED = (
    "tenant",
    "subscription",
    "connection",
    "member",
    "portal_link",
    "api_key",
    "document",
    "event",
    "replay",
    "retry",
)
SEARCHED = ("/portal-links", "/replays")
"""Pages with a search that is there once more subscriptions fit than are listed, or one was searched for."""
ENOUGH = {"pubsub": ({"keyFile": json.dumps({"client_email": "bot@example.com", "private_key": PEM})},)}
"""How to sign in to kinds whose every way needs a private key."""
OTHER_TENANT = "next-door"
UPDATED = {"eventTypes": ["documentUpdated"], "status": "paused"}


class Office:
    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.hook = world.create_subscription(url=f"{url}/429", status="active", retryDelays=[1])["id"]
        self.document = world.create_document()["externalId"]
        self.event = world.events()[-1]["event"]["id"]
        world.wait_until(lambda: self._answered() == "overrun")
        world.send("PATCH", f"/v1/subscriptions/{self.hook}", {"status": "paused"}).ok()
        self.kinds = {each["kind"]: each for each in world.get("/v1/destinations").ok()["data"]}
        self.connections = {kind: self._connect(kind) for kind in self.kinds}
        self.vendors = {kind: self._subscribe(kind) for kind in self.kinds}
        self.member = world.send(
            "POST", "/v1/members", {"name": "Ada", "email": "ada@example.com", "role": "viewer"}
        ).ok(201)["id"]
        world.send("POST", "/v1/tenants", {"name": OTHER_TENANT}).ok(201)
        self.browser = Browser(world).sign_in(world.key)
        self.guest = Guest(world).enter(can=ALL)

    def _answered(self) -> Any:
        path = f"/v1/subscriptions/{self.hook}/deliveries/{self.event}"
        return (self.world.get(path).ok()["diagnosis"] or {}).get("cause")

    def _connect(self, kind: str) -> str:
        """The first way to sign in whose examples are enough, or one with a real key: none is among examples."""
        schema = self.kinds[kind]["connection"]
        for value in (*variants_of(schema), *ENOUGH.get(kind, ())):
            answer = self.world.send("POST", "/v1/connections", {"kind": kind, "name": kind, "config": value})
            if answer.status == 201:
                return str(answer.json["id"])
        raise AssertionError(f"no way to sign in to {kind} is made of its examples")

    def _subscribe(self, kind: str) -> str:
        config = next(variants_of(self.kinds[kind]["config"]))
        body = {"kind": kind, "connection": self.connections[kind], "config": config, **UPDATED}
        return str(self.world.send("POST", "/v1/subscriptions", body).ok(201)["id"])

    # --- What is kept -------------------------------------------------------------------------------------------------

    def stored(self) -> list[Any]:
        """The rows of what forms change, byte by byte, and what the audit tells of every tenant since the beginning."""
        rows = [(name, *row) for name in STORED for row in self.world._database.execute(f"SELECT * FROM {name}")]
        return rows + [self._newest_entry(tenant) for tenant in ("default", OTHER_TENANT)]

    def _newest_entry(self, tenant: str) -> Any:
        """The last entry of a tenant's audit: entries are numbered, so another one is seen by it."""
        headers = {"signalpost-tenant": tenant}
        return self.world.get("/v1/audit?limit=1&newest=true", **headers).ok()["data"]

    def set(self, path: str, member: str, value: Any, schema: Schema | None = None) -> Any:
        """Change one member of something through the API, as near to a value as the API takes. What it is then."""
        answer = self.world.send("PATCH", path, {member: value})
        if answer.status == 422 and schema is not None:
            refused = [each["pointer"] for each in answer.json["errors"]]
            answer = self.world.send("PATCH", path, {member: mended(value, schema, refused)})
        return answer.json.get(member) if answer.status == 200 else None

    # --- Pages and forms ----------------------------------------------------------------------------------------------

    def pages(self) -> Iterator[tuple[str, Page, str]]:
        """Every page of the console and the portal with what is at it: the root, the row of its table, its path."""
        for root, pages in ((CONSOLE, PAGES), (PORTAL, PORTAL_PAGES)):
            for page in pages:
                for path in self._paths(page):
                    yield root, page, root + path

    def _paths(self, page: Page) -> list[str]:
        ids = {"subscriptions": [self.hook, *self.vendors.values()], "connections": [*self.connections.values()]}
        ids |= {"documents": [self.document], "events": [self.event]}
        given = {"preset": ["slack-executed"], "kind": [*self.kinds], "name": [OTHER_TENANT], "eventId": [self.event]}
        given["id"] = ids.get(page.path.split("/")[1] if page.path else "", [self.hook])
        if "eventId" in page.path:
            given["id"] = [self.hook]
        name = next((each for each in ("id", "kind", "preset", "name") if f"{{{each}}}" in page.path), None)
        if name is None:
            return [page.path, f"{page.path}?named=a"] if page.path in SEARCHED else [page.path]
        first = {each: values[0] for each, values in given.items()}
        return [page.path.format_map({**first, name: value}) for value in given[name]]

    def visitor(self, path: str) -> Browser | Guest:
        return self.guest if path.startswith(PORTAL) else self.browser

    def forms(self, path: str) -> list[tuple[str, SentForm]]:
        """The forms of a page that change something, each with the path that it is sent to."""
        answer = self.visitor(path).get(path)
        assert answer.status == 200, (path, answer.body[:300])
        return [
            ((path if form.action[:1] in ("", "#") else form.action).partition("?")[0], form)
            for form in forms_of(answer.body.decode())
            if form.method == "post"
        ]

    def form(self, path: str, do: str) -> SentForm:
        return next(form for to, form in self.forms(path) if to == path and do in form.buttons)

    def send(self, path: str, sent: Sequence[tuple[str, str]]) -> Answer:
        form: dict[str, list[str]] = {}
        for name, value in sent:
            form.setdefault(name, []).append(value)
        return self.visitor(path).post(path, form)

    def page_at(self, path: str) -> str:
        """The path of the row of the table that answers there."""
        root, pages = (PORTAL, PORTAL_PAGES) if path.startswith(PORTAL) else (CONSOLE, PAGES)
        found = PathTable({root + page.path: page for page in pages}).find(path)
        return root + found[0].path if found else path


def variants_of(schema: Schema) -> Iterator[dict[str, Any]]:
    """An object of what a schema requires, made of its examples: one for each way of its first choice."""
    definitions: Mapping[str, Any] = schema.get("$defs", {})

    def resolved(each: Schema) -> Schema:
        return definitions[each["$ref"].rpartition("/")[2]] if "$ref" in each else each

    def variants(each: Schema) -> Iterator[Any]:
        each = {**resolved(each), **each}
        if "discriminator" in each:
            for variant in each["anyOf"]:
                yield from variants(variant)
        elif "properties" in each:
            rest: dict[str, Any] = {}
            choices: tuple[str, list[Any]] | None = None
            for name in each.get("required", ()):
                below = [*variants(each["properties"][name])]
                if len(below) > 1:
                    choices = (name, below)
                rest[name] = below[0]
            for value in choices[1] if choices else [None]:
                yield {**rest, **({} if choices is None else {choices[0]: value})}
        elif "enum" in each:
            yield each["enum"][0]
        else:
            yield next(example for example in each["examples"] if example is not None)

    yield from variants(schema)
