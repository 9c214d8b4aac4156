"""The law of forms, for every form of the console and the portal: what is saved as it was shown changes nothing,
neither a stored byte nor the audit; and what is sent is only what was edited.

The forms are found from the tables of pages, so a new one is under the law unless `DOES_SOMETHING` says why not.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import make_world
from gateway.tests.console.drawn_configs import TEXTS, values_of
from gateway.tests.console.forms_as_sent import SentForm
from gateway.tests.console.office import CONSOLE, OTHER_TENANT, PORTAL, Office
from gateway.tests.examples import more
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signalpost.console.condition_form import fields, operators
from signalpost.destinations.registry import Destinations
from signalpost.domain.checks import Bad, Several
from signalpost.domain.language.condition_reader import read_condition
from signalpost.sender.addresses import parse_allow_targets

__all__ = ["make_world", "url"]
DOES_SOMETHING = frozenset({
    "pause", "resume", "skip", "rotate", "promote", "test", "test-new", "test-resume", "delete", "start", "stop",
    "send", "create", "revoke", "invite", "reset", "remove", "save", "activate", "connect", "disconnect", "verify",
    "mute", "unmute", "change-and-send", "sample", "promote-anyway", "end-old", "key-pair", "end-key-pair",
    "end-certificate", "end-authorities", "end-oauth",
})  # fmt: skip
"""Buttons that do what they say and save nothing that is shown."""
KINDS = [*Destinations.installed().kinds]
TEXT = TEXTS.filter(lambda text: 0 < len(text) <= 200)
LAW = settings(
    max_examples=more(4),
    deadline=None,
    database=None,
    derandomize=more(1) == 1,
    phases=(Phase.generate,),  # each example is ten requests, too slow to look for the smallest
    suppress_health_check=[*HealthCheck],
)


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World], url: str) -> Office:
    return Office(make_world(allow_targets=parse_allow_targets(url)), url)


def saved_as_shown(office: Office, path: str, do: str) -> None:
    """The law's first half, for one form as it stands."""
    before = office.stored()
    answer = office.send(path, office.form(path, do).pressed(do))
    assert answer.status < 500, answer.body
    assert office.stored() == before
    if answer.status == 422:  # a form that creates something may lack what it needs
        assert b'<input name="url"' in answer.body or "/new" in path or "/again" in path, answer.body


def lawful(office: Office) -> set[tuple[str, str]]:
    return {(root + page.path, do) for root, page, _ in office.pages() for do in page.forms if do not in DOES_SOMETHING}


def test_every_form_that_is_saved_as_it_is_shown_changes_nothing(office: Office) -> None:
    tried = set()
    for _, _, path in office.pages():
        for to, form in office.forms(path):
            for do in form.buttons:
                if (at := (office.page_at(to), do)) in lawful(office):
                    before = office.stored()
                    answer = office.send(to, form.pressed(do))
                    assert answer.status in (200, 303, 409, 422), (to, do, answer.body)
                    assert office.stored() == before, (to, do)
                    tried.add(at)
    assert lawful(office) - tried == {
        (f"{CONSOLE}/subscriptions/new", "check"),
        (f"{CONSOLE}/subscriptions/new/{{kind}}", "check"),
        (f"{CONSOLE}/recipes/{{preset}}", "check"),
        (f"{PORTAL}/subscriptions/new", "check"),
    }, "the script alone sends these; for any other, the office lacks what it is about"


# --- Whatever is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_vendor_is_told_stays_as_it_is(office: Office, kind: str) -> None:
    path, schema = f"/subscriptions/{office.vendors[kind]}", office.kinds[kind]["config"]

    @LAW
    @given(values_of(schema))
    def holds(config: Any) -> None:
        office.set(f"/v1{path}", "config", config, schema)
        saved_as_shown(office, f"{CONSOLE}{path}/settings/edit", "change")

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_member_that_was_edited_changes(office: Office, kind: str) -> None:
    path, schema = f"/subscriptions/{office.vendors[kind]}", office.kinds[kind]["config"]

    @LAW
    @given(values_of(schema), values_of(schema), st.data())
    def holds(one: Any, other: Any, data: Any) -> None:
        wanted = office.set(f"/v1{path}", "config", other, schema)
        there = office.form(f"{CONSOLE}{path}/settings/edit", "change")
        typed_other = _typed(there.fields, "config.")
        kept = office.set(f"/v1{path}", "config", one, schema)
        if wanted is None or kept is None:
            return
        here = office.form(f"{CONSOLE}{path}/settings/edit", "change")
        member = data.draw(st.sampled_from(sorted({*wanted, *kept})))
        name = f"config.{member}"
        if not _can_be_typed(wanted.get(member), here.types[name], there.types[name]):
            return
        answer = office.send(
            f"{CONSOLE}{path}/settings/edit", here.pressed("change", {name: typed_other.get(name, [])})
        )
        now = office.world.get(f"/v1{path}").ok()["config"]
        if answer.status == 303:
            assert {**now, member: None} == {**kept, member: None}
            assert member not in wanted or _plain(now[member]) == _plain(wanted[member])
        else:
            assert (answer.status, now) == (422, kept), answer.body

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_stays_as_it_is_with_its_secrets(office: Office, kind: str) -> None:
    path, schema = f"/connections/{office.connections[kind]}", office.kinds[kind]["connection"]

    @LAW
    @given(values_of(schema), TEXT)
    def holds(config: Any, name: str) -> None:
        office.set(f"/v1{path}", "config", config, schema)
        office.set(f"/v1{path}", "name", name)
        saved_as_shown(office, f"{CONSOLE}{path}", "change")

    holds()


FIELDS = [name for options in fields().values() for name, _ in options if not name.startswith("fact:")]
ROOTS = st.sampled_from(["document", "before"])
FACTS = st.builds(lambda root, name: f"{root}.additionalFacts[{json.dumps(name, ensure_ascii=False)}]", ROOTS, TEXT)
OPERATORS = sorted({name.partition(":")[0] for name, _ in operators()})
SCALARS = TEXT | st.integers(-5, 5)
LEAVES = st.builds(
    lambda field, operator, value: {"field": field, operator: value},
    st.sampled_from(FIELDS) | FACTS,
    st.sampled_from(OPERATORS),
    SCALARS | st.booleans() | st.lists(SCALARS, min_size=1, max_size=3) | st.just("2027-01-31"),
).filter(lambda leaf: _is_readable(leaf))
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(
            lambda join, leaves: {join: leaves},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        )
        | st.builds(lambda each: {"not": each}, inner)
    ),
    max_leaves=4,
)
TYPES = ["documentCreated", "documentUpdated", "documentDeleted"]
URLS = ["https://receiver.example.com/hook?key=s3cr3t&a", "https://hooks.zapier.com/hooks/catch/1/x/"]
MONTH = 30 * 86_400
EMAILS = ["a@example.com", "ä@münchen.example", "a'&b@x"]


SETTINGS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "rateLimit": st.none() | st.integers(1, 100_000),
        "eventTypes": st.lists(st.sampled_from(TYPES), min_size=1, max_size=4),
        "ordering": st.sampled_from(["loose", "strict"]),
        "when": st.none() | CONDITIONS,
        "after": st.none() | st.fixed_dictionaries({"seconds": st.integers(1, MONTH)}, optional={"if": CONDITIONS}),
        "objective": st.none()
        | st.fixed_dictionaries(
            {"share": st.integers(5_000, 9_999).map(lambda parts: parts / 10_000), "within": st.integers(1, 86_400)}
        ),
        "trace": st.booleans(),
        "contacts": st.lists(st.sampled_from(["a@x", "A.b+c@example.com", "o'x@example.com"]), unique=True),
        "headers": st.dictionaries(st.sampled_from(["x-one", "X-Two", "x"]), st.sampled_from(["a", "b c", "***", '"'])),
        "url": st.sampled_from(URLS),
    }
)
FIELDS_OF = {
    "rateLimit": "rate",
    "eventTypes": "type",
    "when": "when.",
    "after": ("after", "still."),
    "objective": ("share", "within"),
}
"""What the names of a member's fields begin with, where that is not the member's own name."""


def test_a_webhook_stays_as_it_is_in_console_and_portal(office: Office) -> None:
    path = f"/subscriptions/{office.hook}"

    @LAW
    @given(SETTINGS)
    def holds(kept: Any) -> None:
        for member, value in kept.items():
            office.set(f"/v1{path}", member, value)
        saved_as_shown(office, f"{CONSOLE}{path}/settings/edit", "change")
        saved_as_shown(office, f"{CONSOLE}{path}/secret", "headers")
        saved_as_shown(office, f"{PORTAL}{path}", "change")
        saved_as_shown(office, f"{PORTAL}{path}", "headers")

    holds()


@pytest.mark.parametrize(("root", "below"), [(CONSOLE, "/settings/edit"), (PORTAL, "")])
def test_only_what_was_edited_of_a_webhook_changes(office: Office, root: str, below: str) -> None:
    path = f"/subscriptions/{office.hook}"
    unread = dict.fromkeys(("health", "updatedAt"))

    def form_of(kept: Any) -> SentForm:
        for member in ("headers", "url", *kept):
            office.set(f"/v1{path}", member, kept[member])
        return office.form(f"{root}{path}{below}", "change")

    @LAW
    @given(SETTINGS, SETTINGS, st.data())
    def holds(one: Any, other: Any, data: Any) -> None:
        there = form_of({**other, "url": one["url"]})
        here = form_of(one)
        kept = office.world.get(f"/v1{path}").ok()
        edited = {"name", "rateLimit", "eventTypes", "ordering", "when", "after", "objective", "trace", "contacts"}
        member = data.draw(st.sampled_from(sorted(edited)))
        begins = FIELDS_OF.get(member, member)
        names = {name for name, _ in (*here.fields, *there.fields) if name.startswith(begins)}
        typed = {name: [value for each, value in there.fields if each == name] for name in names}
        answer = office.send(f"{root}{path}{below}", here.pressed("change", typed))
        assert answer.status in (303, 422), answer.body
        now = office.world.get(f"/v1{path}").ok()
        assert {**now, member: None, **unread} == {**kept, member: None, **unread}

    holds()


def test_limits_of_a_tenant_and_addresses_of_members_stay_as_they_are(office: Office) -> None:
    limit = st.none() | st.integers(1, 10**9)
    names = ("requestsPerSecond", "changesPerSecond", "inFlight", "documents", "subscriptions", "fileBytes")

    @LAW
    @given(
        st.fixed_dictionaries(dict.fromkeys(names, limit)), st.none() | st.integers(1, 3650), st.sampled_from(EMAILS)
    )
    def holds(limits: Any, days: Any, email: str) -> None:
        office.set(f"/v1/tenants/{OTHER_TENANT}", "limits", limits)
        office.set(f"/v1/tenants/{OTHER_TENANT}", "retentionDays", days)
        office.set(f"/v1/members/{office.member}", "email", email)
        saved_as_shown(office, f"{CONSOLE}/tenants/{OTHER_TENANT}", "limit")
        saved_as_shown(office, f"{CONSOLE}/members", "change")

    holds()


def _is_readable(condition: Any) -> bool:
    try:
        read_condition(condition)
    except (Bad, Several):
        return False
    return True


def _can_be_typed(wanted: Any, here: str, there: str) -> bool:
    """Whether a field of this type takes the value. Blanks at the ends of a field of one line are taken for a slip."""
    return here == there and (not isinstance(wanted, str) or wanted == wanted.strip())


def _plain(value: Any) -> Any:
    """A value in which each line break of a text is the same: a browser makes no difference."""
    return "\n".join(value.replace("\r\n", "\n").split("\r")) if isinstance(value, str) else value


def _typed(sent: list[tuple[str, str]], prefix: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in sent:
        if name.startswith(prefix):
            found.setdefault(name, []).append(value)
    return found
