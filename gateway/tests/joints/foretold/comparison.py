"""What was foretold, compared with what happened in one life and in the other."""

from pathlib import Path
from typing import Any

from gateway.tests.joints.foretold.drawn import drawn_from
from gateway.tests.joints.foretold.lives import ForetoldWorld
from gateway.tests.simulation.logs import live
from gateway.tests.simulation.seeded_world import Violation

NAMES = ("now", "then", "both", "more", "less", "cannot")


def simulate(seed: int, folder: Path) -> None:
    """Live both lives of a seed, and compare them. Raises Violation."""
    drawn, again = drawn_from(seed), f"simulate-rehearsals SEED={seed} COUNT=1"
    lives = [ForetoldWorld(seed, folder, drawn, is_changed=each) for each in (False, True)]
    for each in lives:
        live(each, again, each.logged)
    try:
        _compare(*lives)
    except Violation as violation:
        violation.add_note("\n".join(line for each in lives for line in each.last_steps()))
        violation.add_note(f"{drawn}\nTo run it again: make {again}")
        raise


def _compare(was: ForetoldWorld, would: ForetoldWorld) -> None:
    if was.statuses != would.statuses:
        raise Violation(f"history: {was.statuses}, and {would.statuses} in the other life")
    if was.is_held_up or would.is_held_up:
        return  # no rehearsal foretells that what is left then waits
    kept = {*was.kept.values()} & {*would.kept.values()}
    for told in was.foretold:
        there = {each for each in kept if told["fromSequence"] <= each <= told["toSequence"]}
        _check("change", told, there, _once(was, "s"), _once(would, "s"), would.failed["s"])
    told = was.foretold_of_draft
    there = {each for each in kept if told["fromSequence"] <= each <= told["toSequence"]}
    _check("draft", told, there, set(), _once(would, "draft"), would.failed["draft"])
    if not was.drawn.then.asks_newest and not was.past_is_held_up:
        _same("past", _once(was, "past"), _once(would, "draft") & there)
    if was.replayed is not None:
        there = {each for each in kept if each <= was.foretold[0]["toSequence"]}
        _same("replay", was.replayed, (_once(would, "s") - _once(was, "s")) & there)
    _check_requests(was, would)


def _check(what: str, told: Any, there: set[int], now: set[int], then: set[int], cannot: set[int]) -> None:
    """Compare a rehearsal with what happened. `there` are the events that it is about."""
    now, then = now & there, then & there
    found = {"both": now & then, "more": then - now, "less": now - then, "cannot": cannot & there}
    expected = {"now": len(now), "then": len(then)} | {name: len(each) for name, each in found.items()}
    if (said := {name: told[name] for name in NAMES}) != expected:
        raise Violation(f"{what}: {said}, and {expected} happened: {found}")
    for name, sequences in found.items():
        _same(f"{what}, {name}", [each["sequence"] for each in told["examples"][name]], sorted(sequences)[:-21:-1])


def _check_requests(was: ForetoldWorld, would: ForetoldWorld) -> None:
    """The exact requests are those that were made."""
    for each in was.foretold[0]["requests"] if was.drawn.now.kind != "webhook" else ():
        [request] = each["requests"]
        _same("request", request["body"]["text"], "s|" + would.texts[f"s {was.kept[each['eventId']]}"])


def _once(world: ForetoldWorld, name: str) -> set[int]:
    sent = world.sent_to.get(name, [])
    if len(sent) > len(set(sent)):
        raise Violation(f"once: {name} sent {sorted(sent)}")
    return set(sent)


def _same(what: str, told: object, happened: object) -> None:
    if told != happened:
        raise Violation(f"{what}: {told}, and {happened} happened")
