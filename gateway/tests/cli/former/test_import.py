"""`signalpost subscriptions import`: what becomes of another system's endpoints, and what is said of the rest."""

import json
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.cli import command
from gateway.tests.cli.command import NOWHERE, Run, json_of
from gateway.tests.cli.former.system import KEY, OtherSystem, saved, served
from hypothesis import given
from hypothesis import strategies as st

from signalpost.cli.client import CommandError
from signalpost.cli.commands.imported import convoy, outpost, svix
from signalpost.cli.commands.imported.answers import Answers
from signalpost.cli.commands.imported.command import file_lines
from signalpost.cli.commands.imported.former import FormerCertificate, FormerClient, FormerEndpoint
from signalpost.cli.commands.imported.moved import Move, moved, types_of

SIGNED = {"contract.signed": "documentUpdated"}
EVERY_TYPE = ["documentCreated", "documentUpdated", "documentDeleted"]
CANARY = "canary"
PROJECT = "01HQ"
OPTIONS = {"svix": (), "convoy": ("--project", PROJECT), "outpost": ()}
KEYS: Any = {"svix": "SVIX_AUTH_TOKEN", "convoy": "CONVOY_API_KEY", "outpost": "OUTPOST_API_KEY"}


def answers(name: str) -> Answers:
    return Answers(saved(name).get)


def move(endpoints: Iterator[FormerEndpoint]) -> Move:
    return moved(endpoints, SIGNED)


def lost(found: Move) -> dict[str, list[str]]:
    return {each.id: [*each.lost] for each in found.endpoints}


def tables(found: Move) -> dict[str, Any]:
    return {each.id: each.table for each in found.endpoints}


# --- What becomes of an endpoint --------------------------------------------------------------------------------------


def test_an_endpoint_of_svix_keeps_its_secret_its_headers_and_its_limit() -> None:
    found = move(svix.endpoints(answers("svix")))
    assert tables(found)["ep_2all"] == {
        "name": "Acme: Everything",
        "url": "https://acme.example.com/hooks",
        "eventTypes": EVERY_TYPE,
        "secret": {"file": "secrets/acme-everything-secret"},
        "headers": {
            "X-Api-Key": {"file": "secrets/acme-everything-x-api-key"},
            "Authorization": {"env": "ACME_EVERYTHING_AUTHORIZATION"},
        },
        "oauth": None,
        "clientCertificate": None,
        "rateLimit": 50,
        "signAlso": None,
        "status": "paused",
    }
    assert found.secrets["acme-everything-secret"] == "whsec_Y2FuYXJ5IG9mIHN2aXgsIDI0IGJ5dGVz"
    assert found.secrets["acme-everything-x-api-key"] == "canary of acme"
    assert lost(found)["ep_2all"] == [
        "The header Host. The gateway sets this header itself.",
        "The value of the header Authorization is not shown. Set ACME_EVERYTHING_AUTHORIZATION.",
    ]


def test_what_earlier_versions_of_svix_say_and_what_is_lost_of_an_endpoint() -> None:
    found = move(svix.endpoints(answers("svix")))
    signed = tables(found)["ep_2signed"]
    assert (signed["eventTypes"], signed["rateLimit"]) == (["documentUpdated"], 5)
    assert signed["url"] == {"file": "secrets/acme-signed-url"}, "the value of its query may be a secret"
    assert found.secrets["acme-signed-secret"] == "whsec_Y2FuYXJ5IHdpdGhvdXQgYSBwcmVmaXghISEh"
    channels, transformation, disabled, types = lost(found)["ep_2signed"]
    assert "the channels legal" in channels
    assert "transformation" in transformation
    assert disabled == "It was disabled."
    assert types.startswith("There is no counterpart of invoice.paid.")


def test_an_endpoint_that_wants_nothing_of_ours_is_left_out() -> None:
    found = move(svix.endpoints(answers("svix")))
    assert tables(found)["ep_2paid"] is None
    assert "--event-type invoice.paid=" in lost(found)["ep_2paid"][0]


def test_a_private_key_of_svix_is_no_secret_and_only_the_applications_that_were_named_are_read() -> None:
    found = move(svix.endpoints(answers("svix"), ["app_2globex"]))
    [endpoint] = found.endpoints
    assert endpoint.table is not None
    assert endpoint.table["secret"] is None
    assert found.secrets == {}
    assert [each.partition(".")[0] for each in endpoint.lost] == [
        "Its signature is made with a private key",
        "All endpoints of its application together get 40 a second at most",
    ]
    with pytest.raises(CommandError, match="no application unknown"):
        list(svix.endpoints(answers("svix"), ["acme", "unknown"]))


def test_a_subscription_of_convoy_signs_as_its_endpoint_did() -> None:
    found = move(convoy.endpoints(answers("convoy"), PROJECT))
    first, second = tables(found)["01HB1"], tables(found)["01HB2"]
    assert first["signAlso"] == [
        {
            "header": "X-Convoy-Signature", "algorithm": "sha256", "encoding": "hex", "over": "{timestamp},{body}",
            "prefix": "t={timestamp},v1=", "secret": {"file": "secrets/acme-signed-x-convoy-signature"},
        }
    ]  # fmt: skip
    assert found.secrets["acme-signed-x-convoy-signature"] == "canary of convoy"
    assert (first["eventTypes"], first["rateLimit"], [*first["headers"]]) == (["documentUpdated"], 5, ["X-Api-Key"])
    assert (second["signAlso"][0]["over"], second["signAlso"][0]["prefix"]) == ("{body}", "")
    assert (second["eventTypes"], second["rateLimit"]) == (EVERY_TYPE, 1)
    assert found.secrets["globex-authorization"] == "Basic Z2xvYmV4OmNhbmFyeQ=="


def test_an_endpoint_of_convoy_gets_tokens_as_the_same_client() -> None:
    found = move(convoy.endpoints(answers("convoy"), PROJECT))
    assert tables(found)["01HE3"]["oauth"] == {
        "tokenUrl": "https://acme.example.com/oauth2/token", "clientId": "initech", "scope": "hooks",
        "credentialsIn": "form", "clientSecret": {"file": "secrets/initech-client-secret"},
    }  # fmt: skip
    assert found.secrets["initech-client-secret"] == "canary of initech"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"grant_type": "password"}, "by the grant password"),
        ({"authentication_type": "client_assertion"}, "a signed assertion"),
        ({"field_mapping": {"access_token": "token"}}, "does not call access_token"),
        ({"url": ""}, "Its client of OAuth 2: tokenUrl."),
        ({"client_id": "of ours"}, "Its client of OAuth 2: clientId."),
    ],
)
def test_a_token_of_convoy_that_cannot_be_asked_for_here_is_named(settings: dict[str, Any], said: str) -> None:
    found = saved("convoy")
    page = found["/v1/projects/01HQ/endpoints?perPage=100&next_page_cursor=01HE2"]
    page["data"]["content"][0]["authentication"]["oauth2"] |= settings
    moved_on = move(convoy.endpoints(Answers(found.get), PROJECT))
    assert tables(moved_on)["01HE3"]["oauth"] is None
    assert any(said in each for each in lost(moved_on)["01HE3"])
    assert not any(CANARY in each for each in lost(moved_on)["01HE3"])


def test_what_is_lost_of_a_subscription_of_convoy() -> None:
    found = lost(move(convoy.endpoints(answers("convoy"), PROJECT)))
    assert [each.partition(".")[0].partition(":")[0] for each in found["01HB1"]] == [
        "An earlier secret signs, too, until it expires",
        "It has 30 s for an answer",
        "The filter of contract",
        "Its retries",
    ]
    assert [each.partition(".")[0].partition(":")[0] for each in found["01HB2"]] == [
        "It was paused",
        "The filter, which is about other payloads",
        "A function changes what it gets",
        "It is sent each event once at most",
        "Its rate limit of 1",
    ]
    assert [each.partition(".")[0] for each in found["01HE3"]] == [
        "Its secret is not shown, so nothing is signed as Convoy did",
        "Its token is asked for with the audience https://hooks",
        "Its token endpoint tells in milliseconds how long a token lasts",
        "It wants a client certificate, of which the private key is not shown",
        "No subscription there sends to it",
    ]


def test_a_webhook_of_outpost_signs_as_its_deployment_does() -> None:
    found = move(outpost.endpoints(answers("outpost"), (), outpost.signing({})))
    assert tables(found)["des_1"] == {
        "name": "acme: acme.example.com",
        "url": "https://acme.example.com/hooks",
        "eventTypes": ["documentUpdated"],
        "secret": None,
        "headers": {
            "x-api-key": {"file": "secrets/acme-acme-example-com-x-api-key"},
            "x-outpost-region": {"file": "secrets/acme-acme-example-com-x-outpost-region"},
        },
        "oauth": None,
        "clientCertificate": None,
        "rateLimit": None,
        "signAlso": [
            {
                "header": "x-outpost-signature", "algorithm": "sha256", "encoding": "hex", "over": "{body}",
                "prefix": "v0=", "secret": {"file": "secrets/acme-acme-example-com-x-outpost-signature"},
            }
        ],
        "status": "paused",
    }  # fmt: skip
    assert tables(found)["des_2"] is None
    assert lost(found)["des_2"] == ["It is of the type aws_sqs. Set up a kind of destination for it."]
    assert [each.partition(".")[0].partition(",")[0] for each in lost(found)["des_1"]] == [
        "The filter",
        "An earlier secret signs",
        "There is no counterpart of invoice",
    ]
    assert lost(found)["des_3"] == ["It was disabled."]


@pytest.mark.parametrize(
    ("settings", "form"),
    [
        ({}, ("x-outpost-signature", "sha256", "hex", "{body}", "v0=")),
        ({"HEADER_PREFIX": "x-acme-"}, ("x-acme-signature", "sha256", "hex", "{body}", "v0=")),
        ({"HEADER_PREFIX": " "}, ("signature", "sha256", "hex", "{body}", "v0=")),
        (
            {"SIGNATURE_HEADER_NAME": "X-Digest", "SIGNATURE_ALGORITHM": "hmac-sha1", "SIGNATURE_ENCODING": "base64"},
            ("X-Digest", "sha1", "base64", "{body}", "v0="),
        ),
        (
            {
                "SIGNATURE_CONTENT_TEMPLATE": "{{.Timestamp.Unix}}.{{ .Body }}",
                "SIGNATURE_HEADER_TEMPLATE": 't={{.Timestamp.Unix}},v0={{.Signatures | join ","}}',
            },
            ("x-outpost-signature", "sha256", "hex", "{timestamp}.{body}", "t={timestamp},v0="),
        ),
        ({"SIGNATURE_HEADER_NAME": ""}, None),
        ({"DISABLE_DEFAULT_SIGNATURE_HEADER": "true"}, None),
        ({"SIGNATURE_ALGORITHM": "hmac-md5"}, None),
        ({"SIGNATURE_CONTENT_TEMPLATE": "{{.Topic}}{{.Body}}"}, None),
        ({"SIGNATURE_CONTENT_TEMPLATE": "{{.EventID}}"}, None),
        ({"SIGNATURE_HEADER_TEMPLATE": "{{index .Signatures 0}}"}, None),
        ({"SIGNATURE_HEADER_TEMPLATE": 'e={{.EventID}},v0={{.Signatures | join ","}}'}, None),
    ],
)
def test_the_settings_of_outpost_say_how_it_signs(
    settings: dict[str, str | None], form: tuple[str, ...] | None
) -> None:
    signs = outpost.signing({f"DESTINATIONS_WEBHOOK_{name}": value for name, value in settings.items()})
    found = signs.form
    shown = None if found is None else (found.header, str(found.algorithm), found.encoding, found.over, found.prefix)
    assert shown == form
    says_why = {"SIGNATURE_ALGORITHM", "SIGNATURE_CONTENT_TEMPLATE", "SIGNATURE_HEADER_TEMPLATE"} & settings.keys()
    assert (signs.lost is not None) == (form is None and bool(says_why))


def test_outpost_in_the_standard_mode_keeps_its_secret_and_needs_no_other_signature() -> None:
    signs = outpost.signing({"DESTINATIONS_WEBHOOK_MODE": "standard"})
    found = move(outpost.endpoints(answers("outpost"), ["globex"], signs))
    [table] = tables(found).values()
    assert (table["signAlso"], found.secrets[table["secret"]["file"].partition("/")[2]]) == (None, "canary of globex")


@pytest.mark.parametrize(
    ("wanted", "types", "unknown"),
    [
        (None, EVERY_TYPE, []),
        (["*"], EVERY_TYPE, []),
        (["documentDeleted"], ["documentDeleted"], []),
        (["contract.signed", "contract.paid"], ["documentUpdated"], ["contract.paid"]),
        (["contract.*"], ["documentUpdated"], []),
        (["c.ntract.signed"], [], ["c.ntract.signed"]),
        (["contract"], [], ["contract"]),
    ],
)
def test_types_have_counterparts_by_their_names(wanted: list[str] | None, types: list[str], unknown: list[str]) -> None:
    assert types_of(wanted, SIGNED) == (types, unknown)


def an_endpoint(**members: Any) -> FormerEndpoint:
    return FormerEndpoint(**{"id": "1", "name": "Acme", "url": "https://acme.example.com", **members})


def test_names_and_the_files_of_secrets_are_each_there_once() -> None:
    found = moved([an_endpoint(secret=f"canary {number}", name="Acme\n/../x") for number in range(3)], {})
    assert [each.name for each in found.endpoints] == ["Acme /../x", "Acme /../x-2", "Acme /../x-3"]
    assert found.secrets == {"acme-x-secret": "canary 0", "acme-x-2-secret": "canary 1", "acme-x-3-secret": "canary 2"}
    alike = moved([an_endpoint(headers={"x-a-b": "canary 0", "x-a_b": "canary 1"})], {})
    assert sorted(alike.secrets.values()) == ["canary 0", "canary 1"]
    [nameless] = moved([an_endpoint(name="")], {}).endpoints
    assert nameless.name == "1"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"url": "https://me:canary@acme.example.com"}, "Remove the user name and password"),
        ({"url": "ftp://acme.example.com"}, "Its URL cannot be used"),
        ({"url": "http://acme.example.com"}, "begins with http://"),
        ({"secret": "short"}, "fewer than 8"),
        ({"headers": {"webhook-id": "canary"}}, "The gateway sets this header itself"),
        ({"headers": {"x-a": "canary\n"}}, "printable ASCII"),
        ({"headers": {"x-a": "canary", "X-A": "canary"}}, "there twice"),
        ({"headers": {f"x-{number}": "canary" for number in range(22)}}, "at most 20"),
    ],
)
def test_what_the_gateway_would_refuse_is_said_and_not_written(members: dict[str, Any], said: str) -> None:
    found = moved([an_endpoint(**members)], {})
    [endpoint] = found.endpoints
    assert any(said in each for each in endpoint.lost)
    assert not any(CANARY in each for each in endpoint.lost)
    assert endpoint.table is None or len(endpoint.table["headers"] or ()) <= 20


def test_a_client_and_a_certificate_come_along_with_their_secrets_in_files() -> None:
    offered = trustme.CA().issue_cert("acme.example.com")
    certificate = FormerCertificate(
        certificate=offered.cert_chain_pems[0].bytes().decode(), key=offered.private_key_pem.bytes().decode()
    )
    client = FormerClient(token_url="https://login.example.com/t?k=canary", client_id="acme", secret=None)
    found = moved([an_endpoint(oauth=client, certificate=certificate)], {})
    [endpoint] = found.endpoints
    assert endpoint.table is not None
    assert endpoint.table["oauth"] == {
        "tokenUrl": {"file": "secrets/acme-token-url"}, "clientId": "acme", "credentialsIn": "header",
        "clientSecret": {"env": "ACME_CLIENT_SECRET"},
    }  # fmt: skip
    assert endpoint.lost == ["The secret of its client of OAuth 2 is not shown. Set ACME_CLIENT_SECRET."]
    assert endpoint.table["clientCertificate"] == {
        "certificate": {"file": "secrets/acme-certificate"}, "privateKey": {"file": "secrets/acme-private-key"},
    }  # fmt: skip
    assert found.secrets["acme-certificate"] == certificate.certificate
    assert found.secrets["acme-private-key"] == certificate.key


def test_a_certificate_that_the_gateway_would_refuse_is_named() -> None:
    [endpoint] = moved([an_endpoint(certificate=FormerCertificate(certificate="canary", key="canary"))], {}).endpoints
    assert endpoint.table is not None
    assert endpoint.table["clientCertificate"] is None
    assert endpoint.lost == ["Its client certificate. This must be one or more certificates in PEM."]


def test_an_answer_of_another_form_is_named_by_its_path_and_member() -> None:
    with pytest.raises(CommandError, match=r"GET /api/v1/app .*`\$\.data\[0\]`"):
        list(svix.endpoints(Answers({"/api/v1/app?limit=250": {"data": [{"name": "no id"}]}}.get)))
    with pytest.raises(CommandError, match="nothing at /api/v1/app"):
        list(svix.endpoints(Answers(lambda _path: None)))


def test_a_list_that_never_ends_is_not_read_for_ever() -> None:
    page = {"data": [], "iterator": "a", "done": False}
    endless = {"/api/v1/app?limit=250": page, "/api/v1/app?limit=250&iterator=a": page}
    with pytest.raises(CommandError, match="same pages"):
        list(svix.endpoints(Answers(endless.get)))


READERS: Mapping[str, Callable[[Answers], Iterator[FormerEndpoint]]] = {
    "svix": svix.endpoints,
    "convoy": lambda answers: convoy.endpoints(answers, PROJECT),
    "outpost": lambda answers: outpost.endpoints(answers, (), outpost.signing({})),
}
ODD = st.sampled_from([None, "", "x", "*", "\x00\x1b\x7f", "https://", 0, -1, 1.5, True, [], {}, [None], {"x": None}])


@given(name=st.sampled_from([*READERS]), data=st.data())
def test_no_answer_ends_in_a_traceback_or_in_a_file_that_is_no_toml(name: str, data: st.DataObject) -> None:
    """Whatever stands in place of one member of the answers."""
    found = saved(name)
    places = [*_places(found)]
    *way, last = data.draw(st.sampled_from(places))
    reduce(lambda place, step: place[step], way, found)[last] = data.draw(ODD)
    with suppress(CommandError):
        moves = move(READERS[name](Answers(found.get)))
        written = "\n".join(line for each in moves.endpoints for line in file_lines(each))
        assert len(tomllib.loads(written)["subscription"]) == sum(each.table is not None for each in moves.endpoints)


def _places(part: Any) -> Iterator[tuple[Any, ...]]:
    """Where each member of an answer is."""
    for step, below in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield (step,)
        yield from ((step, *rest) for rest in _places(below))


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def of_nowhere(request: pytest.FixtureRequest) -> Iterator[OtherSystem]:
    """The system with this name, whose endpoints the gateway may send to."""
    with served(saved(request.param, origin=NOWHERE)) as system:
        yield system


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "of_nowhere", "made"), [("svix", "svix", 3), ("convoy", "convoy", 3), ("outpost", "outpost", 2)],
    indirect=["of_nowhere"],
)  # fmt: skip
def test_what_is_imported_is_applied_to_a_gateway(
    run: Run, tmp_path: Path, name: str, of_nowhere: OtherSystem, made: int
) -> None:
    folder, kept = tmp_path / "moved", tmp_path / "kept.json"
    options = (*OPTIONS[name], "--event-type", "contract.signed=documentUpdated")
    of_nowhere.busy = 2
    asked = ("subscriptions", "import", name, of_nowhere.url, str(folder), *options, "--save", str(kept))
    done = run(*asked, **{KEYS[name]: KEY})
    assert f"{made} of " in done.stdout
    file = folder / "signalpost.toml"
    written = file.read_text(encoding="utf-8")
    assert CANARY not in (done.stdout + done.stderr + written).replace(str(tmp_path), "")
    secrets = [*(folder / "secrets").iterdir()]
    assert {stat.S_IMODE(each.stat().st_mode) for each in (file, kept, *secrets)} == {0o600}
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, folder / "secrets")} == {0o700}

    again = tmp_path / "again"
    shown = json_of(run("subscriptions", "import", name, str(kept), str(again), *options, "--json"))
    assert shown["secrets"] == len(secrets)
    assert (again / "signalpost.toml").read_text(encoding="utf-8") == written

    more: Any = {"ACME_EVERYTHING_AUTHORIZATION": "Bearer canary"}
    applied = run("subscriptions", "apply", str(file), **more)
    assert f"{made} created." in applied.stdout
    assert CANARY not in applied.stdout
    found = {each["name"]: each for each in json_of(run("subscriptions", "list", "--json"))}
    for table in tomllib.loads(written)["subscription"]:
        there = found[table["name"]]
        assert there["status"] == "paused"
        assert (there["eventTypes"], there["rateLimit"]) == (table["eventTypes"], table.get("rateLimit"))
        assert [*there["headers"]] == [*table.get("headers", ())]
        wanted = [{member: each[member] for member in each if member != "secret"} for each in table.get("signAlso", ())]
        assert there.get("signAlso", []) == wanted
        client = {member: each for member, each in table.get("oauth", {}).items() if member != "clientSecret"}
        assert there.get("oauth", {}) == client
    assert f"{made} unchanged." in run("subscriptions", "apply", str(file), **more).stdout
    for each in found.values():
        run("subscriptions", "delete", each["id"])


def refused(*arguments: str, code: int = 1, **more: Any) -> str:
    return command.run("subscriptions", "import", *arguments, code=code, **more).stderr


@pytest.mark.slow
def test_what_goes_wrong_is_said_without_a_secret(tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    to = str(folder)
    with served(saved("svix")) as system, served({}) as elsewhere:
        assert "Set SVIX_AUTH_TOKEN" in refused("svix", system.url, to, code=2)
        assert "no key has" in refused("svix", system.url, to, code=2, SVIX_AUTH_TOKEN="canary\nx")
        with_password = system.url.replace("://", "://me:canary@")
        assert CANARY not in refused("svix", with_password, to, code=2, SVIX_AUTH_TOKEN=KEY)
        wrong = refused("svix", system.url, to, SVIX_AUTH_TOKEN="canary of another")
        assert "was answered 401. Is the key right" in wrong
        assert "--event-type a=b: there is documentCreated" in refused(
            "svix", system.url, to, "--event-type", "a=b", code=2
        )
        system.redirects_to = elsewhere.url
        assert "was answered 302" in refused("svix", system.url, to, SVIX_AUTH_TOKEN=KEY)
        assert elsewhere.asked == [], "the key goes to no other address"
        assert "nothing at /api/v1/app" in refused("svix", elsewhere.url, to, SVIX_AUTH_TOKEN=KEY)
        assert CANARY not in wrong
    assert "got no answer" in refused("svix", NOWHERE, to, SVIX_AUTH_TOKEN=KEY)
    assert not folder.exists()
    file = tmp_path / "saved.json"
    file.write_text("[]")
    assert "an answer for each path" in refused("svix", str(file), to, code=2)
    assert "There is nothing at /v1/projects/none" in refused("convoy", str(_saved(tmp_path)), to, "--project", "none")
    folder.mkdir()
    (folder / "mine").touch()
    assert "is there already" in refused("svix", str(file), to, code=2)


@pytest.mark.slow
def test_an_outpost_that_is_not_managed_takes_its_settings_from_a_file(tmp_path: Path) -> None:
    file, settings = tmp_path / "saved.json", tmp_path / "outpost.env"
    file.write_text(json.dumps(saved("outpost")))
    settings.write_text("# how it signs\nDESTINATIONS_WEBHOOK_HEADER_PREFIX='x-acme-'\n\nAPI_KEY=canary\n")
    import_ = ("subscriptions", "import", "outpost", str(file))
    usual = command.run(*import_, str(tmp_path / "usual"))
    assert "does not tell how it signs" in usual.stderr
    said = command.run(*import_, str(tmp_path / "said"), "--settings", str(settings))
    assert said.stderr == ""
    written = [(tmp_path / each / "signalpost.toml").read_text(encoding="utf-8") for each in ("usual", "said")]
    assert ["x-outpost-signature" in each for each in written] == [True, False]
    assert "x-acme-signature" in written[1]


def _saved(folder: Path) -> Path:
    file = folder / "convoy.json"
    file.write_text(json.dumps(saved("convoy")))
    return file
