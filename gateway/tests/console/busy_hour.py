"""An hour of a support team's gateway, for pictures: endpoints that are well, one whose secret was rotated and which
still verifies with the old one, one that is overloaded now and then, one that gets more than it takes, and one that
an operator paused."""

import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.tests.api.conftest import World
from gateway.tests.api.moved_clock import MovedClock

from signalpost.domain.timestamps import SECOND

MINUTES: Final = 60
BREAKS_AT: Final = 24
"""The minute in which Acme's secret is rotated."""
NAMES: Final[Mapping[str, str]] = {
    "/acme": "Acme Legal · contracts",
    "/northwind": "Northwind · archive",
    "/globex": "Globex · CRM sync",
    "/contoso": "Contoso · billing",
    "/initech": "Initech · DMS mirror",
    "/hooli": "Hooli · search",
}
"""The path of each endpoint, and its subscription's name."""
TITLES: Final = (
    "Mutual NDA, final", "Lease, Pier 4", "Order form 1187", "Supplier terms", "Service agreement", "Data processing",
    "Statement of work 12", "Renewal 2027", "Employment, D. Osei", "Licence, Contoso",
)  # fmt: skip
OWNERS: Final = ("ann@desk.example", "bo@desk.example", "legal@northwind.example")


class HourClock(MovedClock):
    """A clock whose delays are moved too, so that an endpoint fails since the minute in which it did."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = 0

    def move(self, by: int) -> None:
        super().move(by)
        self._moved += by

    def steady(self) -> int:
        return super().steady() + self._moved


class BusyHour:
    def __init__(self, world: World, clock: MovedClock, origin: str, answers: dict[str, tuple[int, bytes]]) -> None:
        self.world, self._clock, self._answers = world, clock, answers
        self._random = random.Random(1)
        self.ids = {path: self._subscribe(f"{origin}{path}", name) for path, name in NAMES.items()}
        world.send("PATCH", f"/v1/subscriptions/{self.ids['/initech']}", {"status": "paused"}).ok()
        for minute in range(MINUTES):
            self._live_through(minute)
        self._settle()
        [*_, failed] = self._listed("/acme", "failed")
        self.event, self.document = failed["eventId"], failed["externalId"]
        self.overrun = self._listed("/hooli", "retrying")[-1]["eventId"]
        self.waiting = self._waiting()
        self._send_now()
        self._replay()

    def _subscribe(self, url: str, name: str) -> str:
        every = ["documentCreated", "documentUpdated"]
        delays = [7200, 7200] if url.endswith("/hooli") else [1, 1]
        given = {"url": url, "name": name, "eventTypes": every, "status": "active", "retryDelays": delays}
        return str(self.world.create_subscription(**given)["id"])

    def _live_through(self, minute: int) -> None:
        if minute == BREAKS_AT:
            path = f"/v1/subscriptions/{self.ids['/acme']}/secret/rotate"
            self.world.send("POST", path, {"overlapHours": 0}).ok()
            self._answers["/acme"] = (401, b'{"error":"invalid signature"}')
        self._answers["/hooli"] = (429, b"slow down")
        self._answers["/globex"] = (503, b"busy") if minute % 4 == 3 else (200, b"ok")
        for _ in range(self._random.choice((1, 2, 2, 3, 4))):
            title = self._random.choice(TITLES)
            owner = self._random.choice(OWNERS)
            made = self.world.create_document(title=title, ownerEmail=owner, counterpartyName="Acme Legal")
            if self._random.random() < 0.3:
                self.world.send("PATCH", f"/v1/documents/{made['externalId']}", {"contractValue": 19_500.0}).ok()
        self._settle()
        self._clock.move(60 * SECOND)

    def _settle(self) -> None:
        """Wait until the endpoint that takes everything has everything."""
        last = self.world.get("/v1/events?before=latest&limit=1").ok()["data"][0]["sequence"]

        def is_there() -> bool:
            path = f"/v1/subscriptions/{self.ids['/northwind']}/deliveries?status=delivered&limit=1"
            newest = self.world.get(path).ok()["data"]
            return bool(newest) and newest[0]["sequence"] == last

        self.world.wait_until(is_there)

    def _listed(self, path: str, status: str) -> list[dict[str, Any]]:
        """The newest deliveries with a status, once there are some."""
        at = f"/v1/subscriptions/{self.ids[path]}/deliveries?status={status}&limit=50"
        found: list[dict[str, Any]] = self.world.wait_until(lambda: self.world.get(at).ok()["data"])
        return found

    def _waiting(self) -> str:
        """The event of a delivery that waits, and has newer ones of its document behind it."""
        made = self.world.create_document(title="Mutual NDA, third draft")["externalId"]
        event = self.world.events()[-1]["event"]["id"]
        for value in (1_000.0, 2_000.0):
            self.world.send("PATCH", f"/v1/documents/{made}", {"contractValue": value}).ok()
        return str(event)

    def _send_now(self) -> None:
        """Ann has the delivery sent again that Acme refused."""
        key = self.world.send("POST", "/v1/keys", {"name": "Ann", "role": "subscriber"}).ok(201)["key"]
        path = f"/v1/subscriptions/{self.ids['/acme']}/deliveries/{self.event}"
        assert self.world.send("POST", f"{path}/retry", None, {"authorization": f"Bearer {key}"}).status == 202
        self.world.wait_until(lambda: len(self.world.get(path).ok()["attempts"]) == 4)

    def _replay(self) -> None:
        self._listed("/globex", "failed")
        span = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "failed"}
        self.world.send("POST", f"/v1/subscriptions/{self.ids['/globex']}/replays", span).ok(202)

    @property
    def pages(self) -> Iterator[tuple[str, str]]:
        """Each page with the name of its picture."""
        acme = f"/subscriptions/{self.ids['/acme']}"
        yield "busy-overview", ""
        yield "busy-deliveries", "/deliveries"
        yield "busy-delivery", f"{acme}/deliveries/{self.event}"
        yield "busy-delivery-overrun", f"/subscriptions/{self.ids['/hooli']}/deliveries/{self.overrun}"
        yield "busy-delivery-waiting", f"/subscriptions/{self.ids['/initech']}/deliveries/{self.waiting}"
        yield "busy-subscriptions", "/subscriptions"
        yield "busy-subscription-paused", f"/subscriptions/{self.ids['/initech']}"
        yield "busy-subscription", acme
        yield "busy-events", "/events"
        yield "busy-event", f"/events/{self.event}"
        yield "busy-documents", "/documents"
        yield "busy-document", f"/documents/{self.document}"
        yield "busy-replays", "/replays"
        yield "busy-find", "/find?q=mutual"
        yield "busy-gateway", "/gateway"
        yield "busy-audit", "/audit"
