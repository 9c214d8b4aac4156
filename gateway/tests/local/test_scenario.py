"""What happens to a sample document so that an event comes about."""

import json
import random

import pytest

from signalpost.domain.errors import Invalid
from signalpost.local.scenario import event, scenario

NOW = 1_800_000_000_000_000


@pytest.mark.parametrize(
    ("event_type", "methods"),
    [("documentCreated", ["PUT"]), ("documentUpdated", ["PUT", "PUT"]), ("documentDeleted", ["PUT", "DELETE"])],
)
def test_the_last_step_makes_the_event(event_type: str, methods: list[str]) -> None:
    steps = scenario(event_type, {"title": "Mine"}, NOW)
    assert [step.method for step in steps] == methods
    assert steps[0].snapshot != steps[-1].snapshot or len(steps) == 1


def test_an_update_without_changes_is_an_execution_and_says_when() -> None:
    _, last = scenario("documentUpdated", {}, NOW)
    assert last.snapshot is not None
    assert (last.snapshot["status"], last.snapshot["executedAt"][:4]) == ("executed", "2027")


def test_what_no_document_can_have_is_refused_before_the_first_step() -> None:
    with pytest.raises(Invalid) as refused:
        scenario("documentUpdated", {"stat": "x", "title": 7}, NOW)
    assert {error.pointer for error in refused.value.errors} == {"/stat", "/title"}


def test_an_event_without_a_gateway_looks_as_one_of_a_gateway() -> None:
    """C1, C6, C7"""
    made = event("documentDeleted", {"title": "Mine"}, NOW, random.Random(1).getrandbits)
    sent = json.loads(made.body)
    assert list(sent) == ["id", "type", "createdAt", "data"]
    document = sent["data"]["document"]
    assert (sent["id"], document["externalId"]) == (made.id, made.document_id)
    assert (document["title"], document["status"], len(document)) == ("Mine", "other", 17)
