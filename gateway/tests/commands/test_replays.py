"""Replays: starting and cancelling them, and what is shown of them."""

import json
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import subscription_request

from signalpost.api.http.response import Response
from signalpost.api.rendering import kept_answers, respond
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command, IdempotencyKey
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.delivery.replay import MAX_RUNNING, Replay, ReplayChoice, ReplayRange, ReplayState
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, format_timestamp

LINKS = Links(b"", "")
NOW = 1_700_000_000 * SECOND
SUBSCRIPTION = "00000000-0000-4000-9000-000000000001"
LAST = 100


def replay_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


class Desk:
    """One subscription that starts behind event 10 of 100, and the batch that decides about its replays."""

    def __init__(self, *replays: Replay) -> None:
        rows = Rows(tenants={1: Tenant(1, "default", 10, NOW)})
        self.batch = Batch(rows, NOW, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))
        self.run(
            CreateSubscription(
                tenant_id=1,
                subscription_id=SUBSCRIPTION,
                new=subscription_request(),
                secret="a secret",
                retry_delays=(10,),
            )
        )
        rows = Rows(
            tenants={1: Tenant(1, "default", LAST, NOW)},
            rows={
                kind: {row.id: row for row in rows}
                for kind, rows in ((Subscription, self.batch.changed(Subscription)), (Replay, replays))
            },
            numbers={Subscription: [2], Replay: [7]},
        )
        self.batch = Batch(rows, NOW, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))

    def run(self, command: Command[Any]) -> Response:
        return respond(self.batch.run(command), LINKS)

    def start(self, number: int = 1, **given: Any) -> Response:
        asked: dict[str, Any] = {
            "choice": ReplayChoice("failed"),
            "from_sequence": 20,
            "to_sequence": 30,
            "count": 5,
        } | given
        bounds = {name: asked.pop(name) for name in ("from_sequence", "to_sequence")}
        return self.run(
            StartReplay(
                tenant_id=1,
                subscription_id=SUBSCRIPTION,
                replay_id=replay_id(number),
                range=ReplayRange(from_at=NOW - 90 * SECOND, to_at=NOW - 1, **bounds),
                count_is_capped=False,
                **asked,
            )
        )

    def cancel(self, number: int = 1) -> Response:
        return self.run(CancelReplay(tenant_id=1, subscription_id=SUBSCRIPTION, replay_id=replay_id(number)))


def test_starting_answers_with_the_replay_and_where_it_is() -> None:
    desk = Desk()
    answer = desk.start()
    assert answer.status == 202
    assert dict(answer.headers)["location"] == f"/v1/subscriptions/{SUBSCRIPTION}/replays/{replay_id(1)}"
    assert json.loads(answer.body) == {
        "id": replay_id(1),
        "subscriptionId": SUBSCRIPTION,
        "state": "running",
        "from": format_timestamp(NOW - 90 * SECOND),
        "to": format_timestamp(NOW - 1),
        "status": "failed",
        "count": 5,
        "countIsCapped": False,
        "queued": 0,
        "delivered": 0,
        "failed": 0,
        "skipped": 0,
        "waiting": 0,
        "fromSequence": 20,
        "toSequence": 30,
        "createdAt": format_timestamp(NOW + 1),
        "createdBy": "gateway",
        "eventTypes": None,
        "externalId": None,
        "finishedAt": None,
        "leftOut": {"removed": 0, "unwanted": 0, "waiting": 0, "unmet": 0},
    }
    [started] = desk.batch.changed(Replay)
    assert (started.number, started.cursor, started.from_sequence, started.to_sequence) == (7, 19, 20, 30)


def test_its_range_lies_within_what_the_subscription_gets_and_the_log() -> None:
    desk = Desk()
    desk.start(from_sequence=1, to_sequence=1_000)
    [started] = desk.batch.changed(Replay)
    assert (started.cursor, started.from_sequence, started.to_sequence) == (10, 11, LAST)


def test_only_so_many_of_a_subscription_run_at_a_time() -> None:
    desk = Desk()
    for number in range(MAX_RUNNING):
        desk.start(number)
    with pytest.raises(Conflict) as caught:
        desk.start(99)
    assert caught.value.code == "too_many_replays"
    desk.cancel(3)
    assert desk.start(99).status == 202


def test_a_cancelled_one_is_shown_as_it_stands() -> None:
    desk = Desk()
    desk.start()
    answer = desk.cancel()
    assert answer.status == 200
    shown = json.loads(answer.body)
    assert (shown["id"], shown["state"], shown["finishedAt"]) == (replay_id(1), "cancelled", format_timestamp(NOW + 1))
    [cancelled] = desk.batch.changed(Replay)
    assert (cancelled.number, cancelled.state) == (7, ReplayState.CANCELLED)


def test_what_is_over_cannot_be_cancelled() -> None:
    desk = Desk()
    desk.start()
    started = {each.id: each for each in desk.batch.changed(Replay)}[replay_id(1)]
    desk.cancel()
    with pytest.raises(Conflict, match="cancelled"):
        desk.cancel()
    desk = Desk(started.fed(30, 2, 30, NOW + 5))
    with pytest.raises(Conflict, match="finished") as caught:
        desk.cancel()
    assert caught.value.code == "replay_not_running"
    assert desk.batch.changed(Replay) == ()


def test_what_is_not_there_is_not_found() -> None:
    desk = Desk()
    with pytest.raises(NotFound) as caught:
        desk.cancel()
    assert caught.value.code == "replay_not_found"
    desk.start()
    desk.run(DeleteSubscription(tenant_id=1, subscription_id=SUBSCRIPTION))
    for attempt in (desk.start, desk.cancel):
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code == "subscription_not_found"


def test_the_same_idempotency_key_starts_one_replay() -> None:
    desk = Desk()
    key = IdempotencyKey(1, "k", b"h")
    first = desk.start(1, idempotency=key)
    second = desk.start(2, idempotency=key)
    assert second.body == first.body
    assert len(desk.batch.changed(Replay)) == 1


def test_a_replay_that_comes_to_its_end_is_finished() -> None:
    desk = Desk()
    desk.start()
    started = {each.id: each for each in desk.batch.changed(Replay)}[replay_id(1)]
    part = started.fed(25, 3, 30, NOW + 5)
    assert (part.cursor, part.queued, part.state, part.finished_at) == (25, 3, ReplayState.RUNNING, None)
    end = part.fed(30, 2, 30, NOW + 6)
    assert (end.cursor, end.queued, end.state, end.finished_at) == (30, 5, ReplayState.FINISHED, NOW + 6)
