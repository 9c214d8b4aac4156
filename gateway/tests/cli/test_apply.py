"""`signalpost subscriptions apply` and `export`: subscriptions and connections as a file."""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.cli.command import NOWHERE, Run, create, json_of
from hypothesis import given
from hypothesis import strategies as st

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.commands.declared.exported import exported
from signalpost.cli.commands.declared.plan import MemberChange, PlannedAction, PlannedChange, plan
from signalpost.cli.commands.declared.reading import DeclaredEntry, Reference, plain, read
from signalpost.cli.commands.declared.toml_writer import write_tables

CANARY = "canary-0123456789"
SECRETS: Any = {"BILLING_KEY": CANARY, "BILLING_SECRET": CANARY, "SLACK_TOKEN": f"xoxb-{CANARY}"}
FILE = f"""
[[subscription]]
name = "Billing"
url = "{NOWHERE}/hooks?token=abc"
eventTypes = ["documentUpdated", "documentCreated"]
headers = {{ x-api-key = {{ env = "BILLING_KEY" }} }}
secret = {{ env = "BILLING_SECRET" }}

[[subscription]]
name = "Announce"
kind = "slack"
connection = "Our Slack"
eventTypes = ["documentUpdated"]
config = {{ text = "{{{{ document.title }}}}" }}
when = {{ field = "document.status", changedTo = "executed" }}

[[connection]]
name = "Our Slack"
kind = "slack"
config = {{ signIn = {{ with = "bot", token = {{ env = "SLACK_TOKEN" }}, channel = "#legal" }} }}
"""


@pytest.mark.slow
def test_the_file_of_the_guide_for_those_who_come_from_elsewhere_makes_a_paused_subscription(
    run: Run, tmp_path: Path
) -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / "coming-from.md"
    [shown] = re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "signalpost.toml"
    file.write_text(shown.replace("https://acme.example.com", NOWHERE), encoding="utf-8")
    secrets: Any = {"ACME_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ACME_API_KEY": CANARY}
    assert "1 created." in run("subscriptions", "apply", str(file), **secrets).stdout
    [made] = json_of(run("subscriptions", "list", "--name", "Acme", "--json"))
    assert (made["status"], made["rateLimit"], [*made["headers"]]) == ("paused", 50, ["x-api-key"])
    run("subscriptions", "delete", made["id"])


@pytest.mark.slow
@pytest.mark.parametrize("beginning", ["startsAfter = 0", 'startsAt = "2020-01-01T00:00:00Z"'])
def test_a_beginning_in_the_past_counts_when_the_subscription_is_made_and_not_afterwards(
    run: Run, tmp_path: Path, beginning: str
) -> None:
    name, file = f"From {beginning[:9]}", tmp_path / "signalpost.toml"
    table = f'[[subscription]]\nname = "{name}"\nurl = "{NOWHERE}"\nstatus = "paused"\n'
    file.write_text(table + beginning)
    apply = ("subscriptions", "apply", str(file))
    create(run)
    assert beginning[:8] in run(*apply, "--dry-run").stdout
    rehearsed = json_of(run("subscriptions", "rehearse", str(file), "--json"))
    assert [each["action"] for each in rehearsed] == ["create"]
    assert "1 created." in run(*apply).stdout
    [made] = json_of(run("subscriptions", "list", "--name", name, "--json"))
    assert made["startsAfter"] == 0
    file.write_text(f"{table}startsAfter = 1")
    assert [each["action"] for each in json_of(run(*apply, "--json"))] == ["keep"]
    run("subscriptions", "delete", made["id"])


@pytest.mark.slow
def test_a_file_is_applied_once_changed_exported_and_pruned(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    file.write_text(FILE)
    apply = ("subscriptions", "apply", str(file))
    planned = run(*apply, "--dry-run", **SECRETS)
    assert "+ subscription Billing" in planned.stdout
    assert "3 would be created." in planned.stdout
    made = run(*apply, **SECRETS)
    assert "3 created." in made.stdout
    assert CANARY not in planned.stdout + made.stdout
    assert [each["action"] for each in json_of(run(*apply, "--json", **SECRETS))] == ["keep"] * 3

    file.write_text(FILE.replace("#legal", "#sales").replace("url =", "rateLimit = 7\ntrace = true\nurl ="))
    changed = run(*apply, **SECRETS)
    assert "    config.signIn.channel: #legal → #sales" in changed.stdout
    assert "    rateLimit: none → 7" in changed.stdout
    assert "    trace: false → true" in changed.stdout
    assert "2 updated, 1 unchanged." in changed.stdout
    resent = json_of(run(*apply, "--resend-secrets", "--json", **SECRETS))
    assert [each["action"] for each in resent] == ["update", "update", "keep"]
    assert CANARY not in json.dumps(resent)

    exported = run("subscriptions", "export").stdout
    (tmp_path / "exported.toml").write_text(exported)
    variables: Any = {
        "OUR_SLACK_SIGNIN_TOKEN": "x", "BILLING_X_API_KEY": "x", "BILLING_URL": f"{NOWHERE}/hooks?token=abc"
    }  # fmt: skip
    again = run("subscriptions", "apply", str(tmp_path / "exported.toml"), "--json", **variables)
    assert [each["action"] for each in json_of(again)] == ["keep"] * 3

    file.write_text("")
    assert "3 deleted." in run(*apply, "--prune").stdout


@pytest.mark.slow
def test_the_calls_that_a_connection_allows_are_applied_and_exported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "signalpost.toml"
    calls = ["POST /events", "PATCH /contracts/{{ document.externalId }}"]
    config = f'{{ origin = "https://example.com", signIn = {{ with = "nothing" }}, calls = {json.dumps(calls)} }}'
    file.write_text(f'[[connection]]\nname = "CRM"\nkind = "http"\nconfig = {config}\n')
    run("subscriptions", "apply", str(file))
    exported = run("subscriptions", "export").stdout
    assert all(call in exported for call in calls)
    file.write_text(exported)
    assert "1 unchanged." in run("subscriptions", "apply", str(file)).stdout
    file.write_text(exported.replace("POST /events", "PUT /events"))
    assert "config.calls" in run("subscriptions", "apply", str(file)).stdout
    assert "PUT /events" in run("subscriptions", "export").stdout


def test_one_that_is_read_is_applied_exported_and_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "read.toml"
    file.write_text('[[subscription]]\nname = "Read"\nkind = "poll"\neventTypes = ["documentUpdated"]\n')
    for action in ("create", "keep"):
        assert [each["action"] for each in json_of(run("subscriptions", "apply", str(file), "--json"))] == [action]
    written = tomllib.loads(run("subscriptions", "export").stdout)["subscription"]
    [read_] = [each for each in written if each["name"] == "Read"]
    assert read_ == {"name": "Read", "kind": "poll", "eventTypes": ["documentUpdated"]}
    found = json_of(run("subscriptions", "list", "--name", "Read", "--json"))
    run("subscriptions", "delete", found[0]["id"])
    made = run("subscriptions", "create", "--kind", "poll", "--name", "By hand", "--json")
    assert json_of(made)["readerKey"].startswith("spr_")
    run("subscriptions", "delete", json_of(made)["id"])


@pytest.mark.slow
def test_a_delay_loses_its_condition_where_the_file_does(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "delayed.toml"
    table = f'[[subscription]]\nname = "Late"\nurl = "{NOWHERE}/late"\neventTypes = ["documentUpdated"]\n'
    apply = ("subscriptions", "apply", str(file), "--json")
    for condition, action in (
        (', if = { field = "document.status", is = "approved" }', "create"), ("", "update"), ("", "keep")
    ):  # fmt: skip
        file.write_text(f"{table}after = {{ seconds = 600{condition} }}\n")
        assert [each["action"] for each in json_of(run(*apply))] == [action]
    assert "approved" not in run("subscriptions", "export").stdout
    file.write_text("")
    run(*apply, "--prune")


@pytest.mark.slow
def test_a_key_pair_is_applied_exported_and_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pair.toml"
    table = f'[[subscription]]\nname = "Pair"\nurl = "{NOWHERE}/pair"\neventTypes = ["documentUpdated"]\n'
    for signs, action in (
        ("", "create"), ("signWithKeyPair = false", "keep"), ("signWithKeyPair = true", "update"),
        ("signWithKeyPair = true", "keep"), ("", "keep"),
    ):  # fmt: skip
        file.write_text(table + signs)
        assert [each["action"] for each in json_of(run("subscriptions", "apply", str(file), "--json"))] == [action]
    exported = run("subscriptions", "export").stdout
    assert "signWithKeyPair = true" in exported
    assert "whpk_" not in exported
    file.write_text(table + "signWithKeyPair = false")
    assert [each["action"] for each in json_of(run("subscriptions", "apply", str(file), "--json"))] == ["update"]
    assert "signWithKeyPair" not in run("subscriptions", "export").stdout
    file.write_text("")
    run("subscriptions", "apply", str(file), "--prune")


def test_certificates_are_applied_exported_and_kept(run: Run, tmp_path: Path) -> None:
    clients = trustme.CA()
    for name in ("one", "two"):
        issued = clients.issue_cert(f"{name}.example")
        (tmp_path / f"{name}.pem").write_bytes(issued.cert_chain_pems[0].bytes())
        (tmp_path / f"{name}.key").write_bytes(issued.private_key_pem.bytes())
    (tmp_path / "ca.pem").write_bytes(clients.cert_pem.bytes())
    file = tmp_path / "tls.toml"
    table = '[[subscription]]\nname = "Tls"\nurl = "https://tls.example/"\neventTypes = ["documentUpdated"]\n'
    offers = 'clientCertificate = {{ certificate = {{ file = "{0}.pem" }}, privateKey = {{ file = "{0}.key" }} }}\n'
    trusts = 'authorities = { file = "ca.pem" }\n'
    for members, action in (
        (offers.format("one") + trusts, "create"), (offers.format("one") + trusts, "keep"),
        (offers.format("two") + trusts, "update"), (offers.format("two"), "keep"), ("", "keep"),
    ):  # fmt: skip
        file.write_text(table + members)
        said = run("subscriptions", "apply", str(file), "--json")
        assert [each["action"] for each in json_of(said)] == [action]
        assert "PRIVATE KEY" not in said.stdout
    exported = run("subscriptions", "export").stdout
    assert 'privateKey = { env = "TLS_CLIENT_PRIVATEKEY" }' in exported
    assert 'authorities = { env = "TLS_AUTHORITIES" }' in exported
    file.write_text("")
    run("subscriptions", "apply", str(file), "--prune")


def test_clients_of_oauth_are_applied_exported_and_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "oauth.toml"
    table = '[[subscription]]\nname = "Guarded"\nurl = "https://guarded.example/"\neventTypes = ["documentUpdated"]\n'
    client = (
        'oauth = {{ tokenUrl = "https://login.example/token", clientId = "us", clientSecret = {{ env = "OURS" }}{} }}\n'
    )
    apply = ("subscriptions", "apply", str(file), "--json")
    for members, action in (
        (client.format(""), "create"), (client.format(""), "keep"),
        (client.format(', credentialsIn = "header"'), "keep"),
        (client.format(', scope = "hooks"'), "update"), ("", "keep"), (client.format(""), "update"),
    ):  # fmt: skip
        file.write_text(table + members)
        said = run(*apply, OURS=CANARY)
        assert [each["action"] for each in json_of(said)] == [action]
        assert CANARY not in said.stdout
    file.write_text((table + client.format("")).replace("guarded.example", "moved.example"))
    assert [each["action"] for each in json_of(run(*apply, OURS=CANARY))] == ["update"]
    exported = run("subscriptions", "export").stdout
    assert 'clientSecret = { env = "GUARDED_OAUTH_CLIENTSECRET" }' in exported
    file.write_text(exported)
    again = json_of(run(*apply, GUARDED_OAUTH_CLIENTSECRET="another"))
    assert [each["action"] for each in again if each["name"] == "Guarded"] == ["keep"]
    file.write_text("")
    run(*apply, "--prune")


def test_signatures_of_another_system_are_applied_exported_and_kept(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "moved.toml"
    table = f'[[subscription]]\nname = "Moved"\nurl = "{NOWHERE}/moved"\neventTypes = ["documentUpdated"]\n'
    old = 'signAlso = [{{ header = "X-Old", algorithm = "{}", secret = {{ env = "OLD" }} }}]\n'
    apply = ("subscriptions", "apply", str(file), "--json")
    for signs, action in (
        (old.format("sha1"), "create"), (old.format("sha1"), "keep"), (old.format("sha512"), "update"),
        ("", "keep"), ("signAlso = []\n", "update"), (old.format("sha1"), "update"),
    ):  # fmt: skip
        file.write_text(table + signs)
        said = run(*apply, OLD=CANARY)
        assert [each["action"] for each in json_of(said)] == [action]
        assert CANARY not in said.stdout
    exported = run("subscriptions", "export").stdout
    assert 'secret = { env = "MOVED_X_OLD_SECRET" }' in exported
    file.write_text(exported)
    again = json_of(run(*apply, MOVED_X_OLD_SECRET="another"))
    assert [each["action"] for each in again if each["name"] == "Moved"] == ["keep"]
    file.write_text("")
    run(*apply, "--prune")


VENDORS = """
[[connection]]
name = "Books"
kind = "xero_bill"
config = { signIn = { with = "consent", clientId = "a", clientSecret = { env = "XERO" } }, standIn = "HTTPS://Books.Example.COM:443/" }

[[subscription]]
name = "Bills"
kind = "xero_bill"
connection = "Books"
eventTypes = ["documentUpdated"]
config = { contact = "A", due = "{{ document.expiryDate | date }}", lines = [{ description = "B", unitAmount = "1", accountCode = "400" }] }
"""  # noqa: E501


@pytest.mark.slow
def test_what_the_gateway_fills_in_or_writes_otherwise_is_not_changed_again(run: Run, tmp_path: Path) -> None:
    """Entries of lists, origins in capitals, and null where there is no secret."""
    file = tmp_path / "vendors.toml"
    apply = ("subscriptions", "apply", str(file), "--json")
    file.write_text("")
    run(*apply, "--prune")
    file.write_text(VENDORS)
    assert [each["action"] for each in json_of(run(*apply, XERO=CANARY))] == ["create"] * 2
    assert [each["action"] for each in json_of(run(*apply, XERO=CANARY))] == ["keep"] * 2
    file.write_text(exported_file := run("subscriptions", "export").stdout)
    assert exported_file.count("env =") == 1
    assert [each["action"] for each in json_of(run(*apply, BOOKS_SIGNIN_CLIENTSECRET=CANARY))] == ["keep"] * 2
    file.write_text("")
    run(*apply, "--prune")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[subscription]", "cannot be read as TOML"),
        ("[[subscriptions]]", "not subscriptions"),
        ("[subscription]", "two brackets"),
        ("[[subscription]]\nurl = 'x'", "needs a name"),
        ("[[subscription]]\nname = 'x'\n[[subscription]]\nname = 'x'", "twice"),
        ("[[subscription]]\nname = 'x'\nsecret = 'in plain'", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nheaders = { a = 'in plain' }", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nsecret = { env = 'UNSET' }", "set the environment variable UNSET"),
        ("[[subscription]]\nname = 'x'\nsecret = { file = 'none' }", "none cannot be read"),
        ("[[subscription]]\nname = 'x'\nsecret = { file = 'a\\u0000b' }".replace("'", '"'), "cannot be read"),
        ("[[subscription]]\nname = 'x'\nheaders = 'a'", "headers must be a table"),
        ("[[subscription]]\nname = 'x'\nheaders = { a = 5 }", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nclientCertificate = 5", "a table with certificate and privateKey"),
        ("[[subscription]]\nname = 'x'\nclientCertificate = { certificate = 'a' }", "a table with certificate and"),
        (
            "[[subscription]]\nname = 'x'\nclientCertificate = { certificate = 'a', privateKey = 'in plain' }",
            "so that the file can be shared",
        ),
        ("[[subscription]]\nname = 'x'\noauth = 5", "oauth must be a table with"),
        ("[[subscription]]\nname = 'x'\noauth = { clientSecret = 'in plain' }", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\nsignAlso = 5", "signAlso must be a list of tables"),
        ("[[subscription]]\nname = 'x'\nsignAlso = [{ secret = 'in plain' }]", "so that the file can be shared"),
        ("[[subscription]]\nname = 'x'\neventTypes = 5", "eventTypes must be a list"),
        ("[[subscription]]\nname = 'x'\neventTypes = ['a', 5]", "eventTypes must be a list"),
        ("[[subscription]]\nname = 'x'\nurl = 5", "url must be a text"),
        ("[[subscription]]\nname = 'x'\nconnection = ['a']", "connection must be a text"),
        ("[[subscription]]\nname = 'x'\nrateLimit = 2026-01-01", "in quotes"),
        ("[[subscription]]\nname = 'x'\nconfig = { a = [12:00:00] }", "in quotes"),
        ("[[subscription]]\nname = 'x'\nrateLimit = nan", "no number of JSON"),
        ("a = " + "[" * 5_000, "too many brackets"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_to_change(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text)
    with pytest.raises(Misuse, match=said):
        read(file, {})


_ODD = st.sampled_from(
    ["5", "-1.5", "inf", "true", "''", "'x'", "[]", "[5]", "[[]]", "['x', 'x']", "{}", "{ a = 5 }", "{ a = {} }",
     "1979-05-27T07:32:00Z", "07:32:00", "{ env = 'V' }", "{ env = 5 }", "{ file = '/' }", "{ file = '' }"]
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(
            ["url", "kind", "connection", "eventTypes", "headers", "secret", "config", "when", "after", "rateLimit",
             "retryDelays", "ordering", "status", "contacts", "odd"]
        ),
        _ODD,
    )
)  # fmt: skip
def test_no_file_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, members: dict[str, str]) -> None:
    file = tmp_path_factory.getbasetemp() / "odd.toml"
    file.write_text(
        "\n".join(["[[subscription]]", "name = 'x'", *(f"{name} = {odd}" for name, odd in members.items())])
    )
    for existing in ([], [SHOWN]):
        with suppress(CommandError):
            entries = read(file, {"V": "v"})
            changes = plan(entries, {"connection": [], "subscription": existing}, prune=False, resend_secrets=False)
            json.dumps([plain(dict(change.members)) for change in changes], allow_nan=False)


def test_secrets_come_from_the_environment_or_files_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    file = tmp_path / "file.toml"
    file.write_text(
        "[[subscription]]\nname='x'\nsecret={env='S'}\nheaders={a={file='key'}}\n[[connection]]\nname='y'\nkind='z'"
    )
    connection, subscription = read(file, {"S": CANARY})
    assert (connection.section, subscription.section) == ("connection", "subscription")
    assert CANARY not in repr(subscription)
    assert plain(dict(subscription.members)) == {"name": "x", "secret": CANARY, "headers": {"a": CANARY}}


SHOWN: Mapping[str, Any] = {
    "id": "1", "name": "x", "url": "https://example.com/?a=***", "eventTypes": ["a", "b"], "headers": {"k": None},
    "when": {"field": "f", "is": 1}, "after": {"seconds": 600, "if": {"field": "f", "is": 1}}, "rateLimit": None,
    "contacts": ["a@example.com", "b@example.com"],
    "config": {
        "lines": [{"amount": "1", "quantity": 1}, {"amount": "2", "quantity": 1}],
        "origin": "https://api.example.com", "number": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("members", "action"),
    [
        ({"url": "https://example.com/?a=1"}, PlannedAction.KEEP),
        ({"url": "https://example.com/other"}, PlannedAction.UPDATE),
        ({"eventTypes": ["b", "a"]}, PlannedAction.KEEP),
        ({"headers": {"k": Reference("$K", "v")}}, PlannedAction.KEEP),
        ({"headers": {}}, PlannedAction.UPDATE),
        ({"when": {"field": "f"}}, PlannedAction.UPDATE),
        ({"after": {"seconds": 600, "if": {"is": 1, "field": "f"}}}, PlannedAction.KEEP),
        ({"after": {"seconds": 601, "if": {"field": "f", "is": 1}}}, PlannedAction.UPDATE),
        ({"after": {"seconds": 600, "if": {"field": "f"}}}, PlannedAction.UPDATE),
        ({"after": {"seconds": 600, "if": {"field": "f", "is": True}}}, PlannedAction.UPDATE),
        ({"secret": Reference("$S", "s")}, PlannedAction.KEEP),
        ({"when": {"field": "f", "is": True}}, PlannedAction.UPDATE),
        ({"config": {"lines": [{"amount": "1"}, {"amount": "2"}]}}, PlannedAction.KEEP),
        ({"config": {"lines": [{"amount": "1"}]}}, PlannedAction.UPDATE),
        ({"config": {"lines": [{"amount": "1"}, {"amount": "3"}]}}, PlannedAction.UPDATE),
        ({"config": {"origin": "HTTPS://API.Example.com:443/"}}, PlannedAction.KEEP),
        ({"config": {"origin": "https://api.example.com:444"}}, PlannedAction.UPDATE),
        ({"config": {"number": True}}, PlannedAction.UPDATE),
        ({"rateLimit": 5}, PlannedAction.UPDATE),
        ({"contacts": ["a@example.com", "b@example.com"]}, PlannedAction.KEEP),
        ({"contacts": [Reference("$A", "a@example.com"), "b@example.com"]}, PlannedAction.KEEP),
        ({"contacts": ["a@example.com"]}, PlannedAction.UPDATE),
        ({"contacts": []}, PlannedAction.UPDATE),
    ],
)
def test_only_what_differs_as_far_as_it_is_shown_is_changed(members: dict[str, Any], action: PlannedAction) -> None:
    existing = {"connection": [], "subscription": [SHOWN]}
    [change] = plan([DeclaredEntry("subscription", "x", members)], existing, prune=False, resend_secrets=False)
    assert change.action is action


@pytest.mark.parametrize("shown_without", [{"seconds": 600}, {"seconds": 600, "if": None}])
def test_a_condition_that_the_file_no_longer_names_in_a_delay_goes(shown_without: dict[str, Any]) -> None:
    entry, before = DeclaredEntry("subscription", "x", {"after": {"seconds": 600}}), SHOWN["after"]

    def planned(shown: Mapping[str, Any]) -> PlannedChange:
        [change] = plan([entry], {"connection": [], "subscription": [shown]}, prune=False, resend_secrets=False)
        return change

    assert planned(SHOWN).members == {"after": {"seconds": 600}}
    assert planned(SHOWN).differences == (MemberChange("after", before, {"seconds": 600}),)
    assert planned({**SHOWN, "after": shown_without}).action is PlannedAction.KEEP


def test_no_contacts_are_none() -> None:
    shown = {name: value for name, value in SHOWN.items() if name != "contacts"}
    entry = DeclaredEntry("subscription", "x", {"contacts": []})
    [change] = plan([entry], {"connection": [], "subscription": [shown]}, prune=False, resend_secrets=False)
    assert change.action is PlannedAction.KEEP


def test_headers_are_given_again_with_another_url() -> None:
    members = {"url": "https://elsewhere.example.com/", "headers": {"k": Reference("$K", "v")}}
    existing = {"connection": [], "subscription": [SHOWN]}
    [change] = plan([DeclaredEntry("subscription", "x", members)], existing, prune=False, resend_secrets=False)
    assert change.members == members


def test_a_name_that_is_not_unique_and_a_kind_that_changes_are_refused() -> None:
    entry = DeclaredEntry("subscription", "x", {})
    with pytest.raises(CommandError, match="Rename all but one"):
        plan([entry], {"connection": [], "subscription": [SHOWN, SHOWN]}, prune=False, resend_secrets=False)
    other = DeclaredEntry("subscription", "x", {"kind": "slack"})
    with pytest.raises(CommandError, match="another kind"):
        plan([other], {"connection": [], "subscription": [SHOWN]}, prune=False, resend_secrets=False)


SCHEMA: Mapping[str, Any] = {
    "properties": {
        "signIn": {"anyOf": [{"$ref": "#/$defs/Bot"}, {"$ref": "#/$defs/Consent"}]},
        "headers": {"additionalProperties": {"type": "string", "writeOnly": True}},
    },
    "$defs": {
        "Bot": {"properties": {"token": {"anyOf": [{"type": "string", "writeOnly": True}, {"type": "null"}]}}},
        "Consent": {"properties": {"organisation": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
    },
}  # fmt: skip


def test_a_variable_stands_for_each_secret_and_for_nothing_else() -> None:
    config = {"signIn": {"token": None, "organisation": None}, "headers": {"x-key": None}}
    named = [{"id": str(at), "name": name, "kind": "k", "config": config} for at, name in enumerate(("A b", "A-b"))]
    tables = exported({"connection": named, "subscription": []}, {"k": SCHEMA})
    first, second = (each["config"] for each in tables["connection"])
    assert first["signIn"] == {"token": {"env": "A_B_SIGNIN_TOKEN"}, "organisation": None}
    assert first["headers"] == {"x-key": {"env": "A_B_HEADERS_X_KEY"}}
    assert second["signIn"]["token"] == {"env": "A_B_SIGNIN_TOKEN_2"}
    assert "organisation" not in "\n".join(write_tables("connection", tables["connection"]))


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_TEXTS, below, max_size=3),
    max_leaves=8,
)


def test_a_url_of_which_a_part_is_not_shown_is_a_variable_and_as_the_file_says_where_it_looks_like_that() -> None:
    shown = {"id": "1", "name": "c", "kind": "k", "config": {"tokenUrl": "https://example.com/token?code=***"}}
    [table] = exported({"connection": [shown], "subscription": []}, {})["connection"]
    assert table["config"]["tokenUrl"] == {"env": "C_TOKENURL"}
    for code, action in (("same", PlannedAction.KEEP), ("other&more=1", PlannedAction.UPDATE)):
        url = Reference("$C_TOKENURL", f"https://example.com/token?code={code}")
        entry = DeclaredEntry("connection", "c", {"kind": "k", "config": {"tokenUrl": url}})
        [change] = plan([entry], {"connection": [shown], "subscription": []}, prune=False, resend_secrets=False)
        assert change.action is action


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_what_is_written_reads_as_it_was(table: dict[str, Any]) -> None:
    written = "\n".join(write_tables("subscription", [table]))
    assert tomllib.loads(written)["subscription"] == [table]
