"""The model itself: it imports nothing of the gateway, quotes the documentation, agrees with the guide's examples."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.world.model import sayings
from gateway.tests.world.model.conditions import is_met
from gateway.tests.world.model.log import LoggedEvent, ModelLog
from gateway.tests.world.model.reading import Acknowledgement, HandOut, ReadModel
from gateway.tests.world.model.sayings import Saying
from gateway.tests.world.model.verdicts import Model, Slack
from gateway.tests.world.model.wishes import Skip, Wish

MODEL = Path(__file__).parent
DOCS = MODEL.parents[3] / "docs"
OWN = ("gateway.tests.world.model", "gateway.tests.world.timeline")
GUIDE = (DOCS / "guides" / "conditions-and-placeholders.md").read_text()
_EXAMPLE = re.compile(r"^(\{\"(?:field|all|any|not)\".*\}) → (?!refused)(.*)$", re.MULTILINE)
DATES = ("document.expiryDate",)
"""What the model does not compare."""


def modules() -> list[Path]:
    return [*(each for each in MODEL.glob("*.py") if not each.name.startswith("test_")), MODEL.parent / "timeline.py"]


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("module", modules(), ids=lambda each: each.name)
def test_the_model_imports_nothing_of_the_gateway(module: Path) -> None:
    foreign = [name for name in imported(module) if name.startswith(("signalpost", "gateway"))]
    assert all(name.startswith(OWN) for name in foreign), foreign


def all_sayings() -> list[Saying]:
    return [each for each in vars(sayings).values() if isinstance(each, Saying)]


@pytest.mark.parametrize("saying", all_sayings(), ids=lambda each: each.rule)
def test_each_sentence_that_the_model_goes_by_is_in_its_page(saying: Saying) -> None:
    page = " ".join((DOCS / saying.page).read_text().split())
    assert saying.text in page


def test_conditions_are_met_as_the_guide_says() -> None:
    event = json.loads(GUIDE.split("```json\n")[1].split("```")[0])
    document = event["data"]["document"]
    before = {**document, "status": "awaitingSignature", "executedAt": None}
    examples = [(json.loads(condition), end == "wanted") for condition, end in _EXAMPLE.findall(GUIDE)]
    compared = [each for each in examples if each[0].get("field") not in DATES]
    assert len(compared) > 25
    for condition, wanted in compared:
        assert is_met(condition, document, before) is wanted, condition


@pytest.mark.parametrize(
    ("skipped", "is_settled"),
    [((1, 0, 1), True), ((1, 2, 5), False), ((1, 5, 7), False), ((0, 2, 5), True), ((1, 7, 8), True)],
)
def test_what_was_skipped_between_a_hand_out_and_its_acknowledgement_may_not_be_settled(
    skipped: tuple[int, float, float], is_settled: bool
) -> None:
    """The last event that was skipped, and from when to when."""
    last, begun, done = skipped
    wish = Wish("read", "poll", 0.0, frozenset())
    wish.skips.append(Skip(last, last, begun, done))
    model = ReadModel(Model(ModelLog(), Slack()), wish)
    handed = HandOut(2.0, 1.0)
    handed.is_answered, handed.done, handed.sequences = True, 3.0, (1,)
    said = Acknowledgement(handed, None, 4.0)
    said.is_answered, said.done, said.count = True, 6.0, int(is_settled)
    model.acknowledgements.append(said)
    event = LoggedEvent(1, "", "documentCreated", "", 0.0, 0.0, b"", {}, None)
    assert model.is_surely_settled(event) is is_settled
