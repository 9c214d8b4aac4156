"""The overview and statistics: what needs a person, the worst first, and what attempts came to."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.domain.delivery.attention import FAILS_FOR
from signalpost.runtime.clock import SystemClock
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"


class AheadClock(SystemClock):
    """The system's, ahead of it by what a test skips."""

    skipped = 0

    def wall(self) -> int:
        return super().wall() + self.skipped

    def steady(self) -> int:
        return super().steady() + self.skipped


@pytest.fixture(scope="module")
def clock() -> AheadClock:
    return AheadClock()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], url: str, clock: AheadClock) -> "World":
    """A gateway with a subscription that gets everything, one that fails, one that was paused by hand."""
    world = make_world(allow_targets=parse_allow_targets(url), clock=clock)
    empty = world.get("/v1/overview").ok()
    assert (empty["attention"], empty["more"], empty["lastHour"]["medianMs"]) == ([], 0, None)
    given: dict[str, Any] = {"status": "active", "eventTypes": ["documentCreated"], "retryDelays": []}
    for name, path in (("well", "200"), ("ill", "404"), ("at rest", "200")):
        world.create_subscription(**{**given, "name": name, "url": f"{url}/{path}"})
    [rest] = world.get("/v1/subscriptions?name=at%20rest").ok()["data"]
    world.send("PATCH", f"/v1/subscriptions/{rest['id']}", {"status": "paused"}).ok()
    for _ in range(12):
        world.create_document()
    return world


def overview(world: "World") -> dict[str, Any]:
    found: dict[str, Any] = world.get("/v1/overview").ok()
    return found


def test_what_fails_is_shown_with_its_likely_cause(world: "World", clock: AheadClock) -> None:
    world.wait_until(lambda: overview(world)["failed"] == 12)
    assert [each["need"] for each in overview(world)["attention"]] == ["given_up"]
    clock.skipped = FAILS_FOR
    found = overview(world)
    [entry] = found["attention"]
    assert entry["subscription"]["name"] == "ill"
    assert entry["need"] == "failing"
    assert entry["detail"].startswith("Every attempt fails since ")
    delivery = world.get(f"/v1/subscriptions/{entry['subscription']['id']}/deliveries/{entry['eventId']}").ok()
    assert entry["diagnosis"]["cause"] == delivery["diagnosis"]["cause"] == "wrong_path"
    assert found["subscriptions"] == {"healthy": 1, "failing": 1, "paused": 1, "disabled": 0}
    assert (found["more"], found["lost"]) == (0, 0)
    assert found["failed"] > 0


def test_what_became_of_events_is_counted_newest_first(world: "World") -> None:
    """One endpoint gets them, one does not, and one waits until a person resumes it."""
    expected = [{"sequence": sequence, "delivered": 1, "waiting": 1, "failed": 1, "skipped": 0} for sequence in (9, 1)]
    path = "/v1/events/arrivals?sequences="
    world.wait_until(lambda: world.get(f"{path}1,9,999").ok()["data"] == expected)
    assert world.get("/v1/events/arrivals").ok()["data"] == []
    for given in ("", "0", "1,", "x", ",".join(map(str, range(1, 102)))):
        world.refuses("GET", f"{path}{given}", None, at=("?sequences",))


def test_how_many_need_somebody_is_counted_for_itself(world: "World") -> None:
    """The number may be some seconds old: from before anything failed."""
    world.wait_until(lambda: world.get("/v1/overview/count").ok() == {"count": 1})
    assert len(overview(world)["attention"]) == 1


def test_a_rotation_that_ends_soon_is_shown(world: "World") -> None:
    [well] = world.get("/v1/subscriptions?name=well").ok()["data"]
    path = f"/v1/subscriptions/{well['id']}/secret"
    world.send("POST", f"{path}/rotate", {"overlapHours": 23}).ok()
    [soon] = overview(world)["soon"]
    assert (soon["what"], soon["subscription"]["name"]) == ("rotation", "well")
    world.send("POST", f"{path}/promote").ok()
    assert overview(world)["soon"] == []


def test_statistics_tell_what_attempts_came_to(world: "World") -> None:
    [well] = world.get("/v1/subscriptions?name=well").ok()["data"]
    of_it = f"/v1/stats?subscriptionId={well['id']}"
    stats = world.wait_until(lambda: (found := world.get(of_it).ok())["total"]["delivered"] >= 12 and found)
    delivered = stats["total"]["delivered"]
    assert (stats["total"]["firstTry"], stats["total"]["failed"], stats["total"]["retried"]) == (delivered, 0, 0)
    assert sum(sum(point["latency"]) for point in stats["data"]) == delivered
    assert all(len(point["latency"]) == len(stats["latencyBoundsMs"]) + 1 for point in stats["data"])
    assert stats["total"]["medianMs"] <= stats["total"]["p99Ms"]
    [hour] = world.get(f"{of_it}&step=hour").ok()["data"]
    assert hour["delivered"] == delivered
    tenant = world.get("/v1/stats").ok()["total"]
    assert (tenant["delivered"] >= delivered, tenant["failed"] > 0) == (True, True)
    assert world.get("/v1/stats?to=2001-01-01T00:00:00Z").ok()["data"] == []
    assert world.get("/v1/stats?from=2001-01-01T00:00:00Z").ok()["total"]["delivered"] >= tenant["delivered"]
    assert overview(world)["lastHour"]["delivered"] >= delivered


def test_a_new_secret_is_seen_to_be_accepted(world: "World", url: str) -> None:
    made = world.create_subscription(status="active", url=f"{url}/200", eventTypes=["documentDeleted"])
    path = f"/v1/subscriptions/{made['id']}"
    before = world.get(f"{path}/secret").ok()
    assert (before["since"], before["accepted"], before["nextFingerprint"]) == (made["createdAt"], 0, None)
    rotated = world.send("POST", f"{path}/secret/rotate", {"overlapHours": 1}).ok()
    during = world.get(f"{path}/secret").ok()
    assert during["fingerprint"] == before["fingerprint"] != during["nextFingerprint"]
    assert during["rotationEndsAt"] == rotated["rotationEndsAt"]
    world.send("POST", f"{path}/secret/promote").ok()
    after = world.get(f"{path}/secret").ok()
    assert (after["fingerprint"], after["nextFingerprint"]) == (during["nextFingerprint"], None)
    assert after["since"] > before["since"]
    document = world.create_document()
    world.send("DELETE", f"/v1/documents/{document['externalId']}")
    assert world.wait_until(lambda: world.get(f"{path}/secret").ok()["accepted"] == 1)
    assert rotated["secret"] not in world.get(f"{path}/secret").body.decode()


def test_a_draft_is_tested_and_nothing_of_it_is_kept(world: "World", url: str) -> None:
    count = len(world.get("/v1/subscriptions").ok()["data"])
    draft = {"url": f"{url}/200?token=t0p", "eventTypes": ["documentUpdated"], "headers": {"x-key": "s3cret"}}
    tested = world.send("POST", "/v1/subscriptions/test", draft).ok()
    assert (tested["delivered"], tested["statusCode"]) == (True, 200)
    exchange = tested["exchange"]
    assert exchange["url"] == f"{url}/200?token=***"
    sent = {each["name"]: each["value"] for each in exchange["requestHeaders"]}
    assert (sent["x-key"], sent["signalpost-test"]) == ("***", "true")
    assert len(sent["plexus-webhook-signature"]) == 128
    assert {"name": "content-length", "value": "0"} in [
        {**each, "name": each["name"].lower()} for each in exchange["answerHeaders"]
    ]
    assert (exchange["address"], exchange["tls"]) == ("127.0.0.1", None)
    assert "s3cret" not in str(tested)
    assert "t0p" not in str(tested)
    failed = world.send("POST", "/v1/subscriptions/test", {**draft, "url": f"{url}/500"}).ok()
    assert (failed["delivered"], failed["error"]) == (False, "status")
    assert failed["diagnosis"]["title"] == "The endpoint failed with an error."
    assert tested["diagnosis"] is None
    world.refuses("POST", "/v1/subscriptions/test", {**draft, "url": "http://10.0.0.7/"}, at=("/url",))
    assert len(world.get("/v1/subscriptions").ok()["data"]) == count


def test_one_call_starts_replays_of_many_subscriptions_and_a_repeat_starts_none_again(world: "World") -> None:
    asked = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "failed"}
    plan = world.wait_until(
        lambda: (found := world.send("POST", "/v1/replays", {**asked, "dryRun": True}).ok())["count"] and found
    )
    [planned] = plan["data"]
    assert (planned["subscriptionName"], planned["stillFailing"], planned["replayId"]) == ("ill", True, None)
    key = {"idempotency-key": "all-of-them"}
    [started] = world.send("POST", "/v1/replays", asked, key).ok(202)["data"]
    replays = f"/v1/subscriptions/{started['subscriptionId']}/replays"
    assert started["replayId"] in [each["id"] for each in world.get(replays).ok()["data"]]
    world.send("POST", "/v1/replays", asked, key).ok(202)
    assert [each["id"] for each in world.get(replays).ok()["data"]] == [started["replayId"]]


def test_statistics_are_asked_for_rightly(world: "World") -> None:
    world.get(f"/v1/stats?subscriptionId={ABSENT}").refused(404, code="subscription_not_found")
    world.get("/v1/stats?step=day&from=x").refused(422, "?step", "?from")
    world.get("/v1/stats?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").refused(422, "?to", code="invalid_fields")
