"""Which kinds of destinations are known, and what is let in for each."""

from importlib.metadata import EntryPoint
from inspect import cleandoc

import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.destinations.kinds import KINDS, config, connection, context, members, pointers

from signalpost.destinations.registry import BUILT_IN, GROUP, Destinations
from signalpost.destinations.slack import Slack

MODULE = "gateway.tests.destinations.plugins"


def entry(name: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"{MODULE}:{name}", group=GROUP)


def test_a_kind_of_another_distribution_stands_beside_the_built_in_ones() -> None:
    found = Destinations.installed([entry("Pigeon")])
    assert set(found.kinds) == {kind.kind for kind in BUILT_IN} | {"pigeon"}
    assert found.kind("pigeon") is not None


def test_a_kind_that_is_not_installed_is_none_and_the_webhook_is_none_of_them() -> None:
    assert KINDS.kind("pigeon") is None
    assert KINDS.kind("webhook") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("OldPigeon", "version 0"),
        ("FalseSlack", "named slack already"),
        ("FalseWebhook", "named webhook already"),
        ("FalsePoll", "named poll already"),
        ("Loud", "small letters"),
        ("Plain", "does not derive from Body"),
        ("Unchecked", "failed"),
        ("Breaking", "failed"),
        ("Unbounded", "rate"),
        ("Crowded", "at once"),
        ("Slow", "up to 60"),
        ("no_class", "no class"),
        ("missing", "failed"),
    ],
)
def test_a_kind_that_cannot_be_used_is_left_out_and_logged_and_the_rest_runs(name: str, reason: str) -> None:
    with captured_log() as lines:
        found = Destinations.installed([entry(name), entry("Pigeon")])
    assert set(found.kinds) == {kind.kind for kind in BUILT_IN} | {"pigeon"}
    assert type(found.kind("slack")) in BUILT_IN
    [line] = lines
    assert line["message"] == "a kind of destination is left out"
    assert line["entry"] == name
    assert reason in line["reason"]


@pytest.mark.parametrize("module", ["no_such_module", "gateway.tests.destinations.ends_the_process"])
def test_a_module_that_cannot_be_imported_is_left_out(module: str) -> None:
    with captured_log() as lines:
        found = Destinations.installed([EntryPoint(name="gone", value=f"{module}:Kind", group=GROUP)])
    assert set(found.kinds) == {kind.kind for kind in BUILT_IN}
    assert lines[0]["message"] == "a kind of destination is left out"


def test_two_kinds_of_one_name_leave_the_first() -> None:
    twins = [EntryPoint(name=name, value=f"{MODULE}:Pigeon", group=GROUP) for name in ("b", "a")]
    with captured_log() as lines:
        found = Destinations.installed(twins)
    assert "pigeon" in found.kinds
    assert [line["entry"] for line in lines] == ["b"]


def test_people_read_what_the_class_of_a_kind_says_whoever_wrote_it() -> None:
    found = Destinations.installed([entry("Pigeon"), entry("Clumsy")])
    assert found.kinds["pigeon"].about == "A kind that works."
    assert found.kinds["slack"].about == cleandoc(str(Slack.__doc__))


def test_an_unknown_kind_is_named_by_its_pointer() -> None:
    assert pointers(lambda: KINDS.read_connection("pigeon", {})) == {"/kind": "unknown_kind"}


@pytest.mark.parametrize("value", [None, [], "text", 1, True])
def test_a_config_that_is_no_object_is_named_by_its_pointer(value: object) -> None:
    for kind in KINDS.kinds:
        assert pointers(lambda kind=kind: KINDS.read_connection(kind, value)) == {"/config": "wrong_type"}


def test_a_check_that_fails_is_refused_and_tells_the_client_nothing_of_its_failure() -> None:
    found = Destinations.installed([entry("Clumsy")])
    connection = found.read_connection("clumsy", {})
    with captured_log() as lines:
        assert pointers(lambda: found.read_config("clumsy", {}, connection)) == {"/config": "destination_failed"}
    assert lines[0]["message"] == "a kind of destination failed"


@pytest.mark.parametrize("kind", KINDS.kinds.values(), ids=lambda kind: kind.kind)
def test_every_member_has_a_title_a_description_and_an_example(kind: object) -> None:
    for struct in (kind.connection, kind.config):  # type: ignore[attr-defined]
        for place, schema in members(struct):
            assert {"title", "description", "examples"} <= schema.keys(), place


def test_no_secret_is_in_what_tools_print_of_a_connection_or_of_a_call() -> None:
    canary = "canary-0123456789"
    hook = f"https://hooks.slack.com/services/{canary}"
    key = {"with": "apiKey", "header": "x-api-key", "key": canary}
    held = [
        connection("slack", signIn={"with": "bot", "token": f"xoxb-{canary}"}),
        connection("slack", signIn={"with": "webhook", "url": hook}),
        connection("http", origin="https://api.example.com", signIn=key),
        connection("xero_bill", signIn={"with": "consent", "clientId": "id", "clientSecret": canary}),
    ]
    printed = [repr(each) for each in held]
    for of, said in ((held[1], {"text": "Hi"}), (held[2], {"path": "/"})):
        kind = "slack" if "text" in said else "http"
        destination = KINDS.kinds[kind]
        printed.append(repr(destination.prepare(of, config(kind, of, **said), context())))
    printed.append(repr(KINDS.kinds["slack"].access(held[0])))
    printed.append(repr(KINDS.kinds["xero_bill"].access(held[3])))
    assert canary not in "".join(printed)
