"""What each field of a document may be: what may not be is refused under its name by every call that takes the field,
and nothing is changed."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

BIG = 10**400
NO_TEXT: list[Any] = [1, 1.5, True, [], {}, ["x"]]
NO_NUMBER: list[Any] = ["1", "", True, False, [], {}]
NO_DATE = [
    "2021-02-30", "2021-13-01", "2021-00-10", "2021-01-00", "2021-02-29", "0000-01-01", "21-01-01", "2021-1-1",
    "20210101", "2021-W01-1", "2021/01/01", "01.02.2021", "10000-01-01", "-2021-01-01", "+2021-01-01", "2021-01",
    " 2021-01-01", "2021-01-01 ", "2021-01-01\n", "٢٠٢١-٠١-٠١", "today", "null",
    "2021-01-01T24:00:00Z", "2021-01-01T23:60:00Z", "2021-01-01T23:59:60Z", "2021-02-30T00:00:00Z",
    "2021-01-01T10:00Z", "2021-01-01T10:00:00", "2021-01-01T10:00:00.Z", "2021-01-01T10:00:00.1234567Z",
    "2021-01-01T10:00:00,5Z", "2021-01-01 10:00:00Z", "2021-01-01t10:00:00z", "2021-01-01T10:00:00+0100",
    "2021-01-01T10:00:00+01", "2021-01-01T10:00:00+24:00", "2021-01-01T10:00:00+10:60", "2021-01-01T10:00:00+99:00",
    "2021-01-01T10:00:00−01:00", "2021-01-01T10:00:00 +01:00", "2021-01-01T10:00:00ZZ", "2021-01-01T1:00:00Z",
    "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z", "1637960400", "",
    "2021-11-25T13:00:00+00:00[Europe/Zurich]", "2021-11-25T", "2021-11-25T13:00:00.000000000Z",
]  # fmt: skip
NO_EMAIL = [
    "", "owner", "owner@", "@example.com", "a@b@c", "own er@example.com", "owner@example.com\n", "owner@exa mple.com",
    "a\t@example.com", "owner@example.com\x00", "a" * 506 + "@x.com1", "a" * 512,
]  # fmt: skip
NO_MONEY: list[Any] = [
    1e14, 10**13 + 1, -(10**13) - 1, 10_000_000_000_000.01, BIG, -BIG, 0.001, 1.005, 0.1 + 0.2, 1e-300, 99.999,
]  # fmt: skip

BAD: list[tuple[str, Any]] = [
    *[(f, v) for f in ("type", "title", "ownerEmail", "authorEmail") for v in [None, *NO_TEXT]],
    *[(f, v) for f in ("referenceId", "counterpartyName", "startDate", "expiryDate") for v in NO_TEXT],
    *[(f, v) for f in ("type", "title", "referenceId", "counterpartyName") for v in ("", "x" * 513, "a\x00b")],
    *[(f, v) for f in ("startDate", "expiryDate") for v in NO_DATE],
    *[(f, v) for f in ("ownerEmail", "authorEmail") for v in NO_EMAIL],
    *[("contractValue", v) for v in [*NO_NUMBER, *NO_MONEY]],
    *[("additionalFacts", v) for v in [1, 1.5, True, "text", [], [{"a": "b"}], [["a", "b"]]]],
]
UNKNOWN = ["externalId", "createdAt", "status", "executedAt", "latestVersion", "publishedVersion", "updatedAt", "id"]
SNAPSHOT_BAD: list[tuple[str, Any]] = [
    *[(f, v) for f in ("sourceApp", "createdAt", "status") for v in [None, *NO_TEXT]],
    *[("executedAt", v) for v in NO_TEXT],
    *[("sourceApp", v) for v in ("", "x" * 513, "a\x00b")],
    *[(f, v) for f in ("createdAt", "executedAt") for v in NO_DATE],
    *[(f, "2021-11-25") for f in ("createdAt", "executedAt")],
    *[("status", v) for v in ("", "Created", "created ", "CREATED", "deleted", "signed", "a\x00", "other\n")],
    *[("latestVersion", v) for v in [1, True, "7.1", [], ["number"]]],
    *[("externalId", v) for v in [None, *NO_TEXT, "", "d24c0644", "d24c06441d3147fa960eb0cc8b4f136c",
                                  "{d24c0644-1d31-47fa-960e-b0cc8b4f136c}", "d24c0644-1d31-47fa-960e-b0cc8b4f136g",
                                  "urn:uuid:d24c0644-1d31-47fa-960e-b0cc8b4f136c",
                                  " d24c0644-1d31-47fa-960e-b0cc8b4f136c",
                                  "d24c0644-1d31-47fa-960e-b0cc8b4f136c\n", "d24c0644-1d31-47fa-960e-b0cc8b4f136c0"]],
]  # fmt: skip


def snapshot(world: "World", **fields: Any) -> dict[str, Any]:
    return {
        **world.document,
        "status": "created",
        "createdAt": "2021-09-02T04:37:56.812919+00:00",
        "sourceApp": "Approve and eSign",
        **fields,
    }


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_bad_value_is_refused_by_create_patch_and_import(
    world: "World", document: str, field: str, value: Any
) -> None:
    at = (f"/{field}",)
    world.refuses("POST", "/v1/documents", {**world.document, field: value}, at=at)
    if (field, value) != ("additionalFacts", None):
        world.refuses("PATCH", document, {field: value}, at=at)
    world.refuses("PUT", document, snapshot(world, **{field: value}), at=at)


@pytest.mark.parametrize(("field", "value"), SNAPSHOT_BAD)
def test_a_bad_value_is_refused_by_import(world: "World", document: str, field: str, value: Any) -> None:
    world.refuses("PUT", document, snapshot(world, **{field: value}), at=(f"/{field}",))


@pytest.mark.parametrize("field", UNKNOWN)
def test_what_the_gateway_decides_cannot_be_given(world: "World", document: str, field: str) -> None:
    world.refuses("POST", "/v1/documents", {**world.document, field: "created"}, at=(f"/{field}",))
    world.refuses("PATCH", document, {field: "created"}, at=(f"/{field}",))


def test_the_source_app_cannot_be_changed(world: "World", document: str) -> None:
    world.refuses("PATCH", document, {"sourceApp": "x"}, at=("/sourceApp",))


@pytest.mark.parametrize("value", [None, "", 5, "x" * 513])
def test_a_bad_source_app_is_refused(world: "World", value: Any) -> None:
    world.refuses("POST", "/v1/documents", {**world.document, "sourceApp": value}, at=("/sourceApp",))


def test_every_missing_field_is_named(world: "World", document: str) -> None:
    world.refuses("POST", "/v1/documents", {}, at=("/type", "/title", "/ownerEmail", "/authorEmail"))
    at = ("/type", "/title", "/status", "/createdAt", "/sourceApp", "/ownerEmail", "/authorEmail")
    world.refuses("PUT", document, {}, at=at)
    world.refuses(
        "PUT", document, {"latestVersion": {}}, at=(*at, "/latestVersion/number", "/latestVersion/downloadUrl")
    )


def test_everything_wrong_is_named_at_once(world: "World", document: str) -> None:
    """In the query, in the body at any depth, and in the headers."""
    body = {
        "type": "", "title": 5, "ownerEmail": "no", "contractValue": "1", "startDate": "2021-02-30",
        "additionalFacts": {"ok": 1, "no": None, "": "x", "a/b": []}, "latestVersion": {"number": 1, "x": 1},
        "externalId": "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84", "nothing": 0,
    }  # fmt: skip
    at = (
        "?sourceVersion", "?x", "/type", "/title", "/ownerEmail", "/contractValue", "/startDate",
        "/additionalFacts/no", "/additionalFacts/", "/additionalFacts/a~1b", "/latestVersion/number",
        "/latestVersion/x", "/latestVersion/downloadUrl", "/externalId", "/nothing", "/authorEmail", "/status",
        "/createdAt", "/sourceApp", "Idempotency-Key",
    )  # fmt: skip
    path = document + "?sourceVersion=-1&x=1"
    problem = world.refuses("PUT", path, body, at=at, headers={"idempotency-key": "no spaces"})
    assert problem["detail"] == "Invalid: ?sourceVersion, ?x, /type, /title, /ownerEmail. See `errors`."


@pytest.mark.parametrize(
    ("value", "below"),
    [
        ({"number": "1.0"}, ["downloadUrl"]),
        ({"downloadUrl": "https://x"}, ["number"]),
        ({"number": 7.1, "downloadUrl": "https://x"}, ["number"]),
        ({"number": "", "downloadUrl": ""}, ["number", "downloadUrl"]),
        ({"number": "x" * 513, "downloadUrl": "x" * 4097}, ["number", "downloadUrl"]),
        ({"number": "1.0\x00", "downloadUrl": None}, ["number", "downloadUrl"]),
        ({"number": "1.0", "downloadUrl": "https://x", "size": 5, "a/b": 1}, ["size", "a~1b"]),
    ],
)
def test_a_bad_version_names_its_part(world: "World", document: str, value: Any, below: list[str]) -> None:
    for field in ("latestVersion", "publishedVersion"):
        at = tuple(f"/{field}/{name}" for name in below)
        world.refuses("PUT", document, snapshot(world, **{field: value}), at=at)


@pytest.mark.parametrize(
    ("name", "value", "pointer"),
    [
        ("fact", None, "fact"),
        ("fact", [], "fact"),
        ("fact", {"a": "b"}, "fact"),
        ("fact", "x" * 4097, "fact"),
        ("fact", "é" * 2049, "fact"),
        ("fact", "a\x00", "fact"),
        ("fact", 2**64, "fact"),
        ("fact", -(2**63) - 1, "fact"),
        ("fact", BIG, "fact"),
        ("", 1, ""),
        ("n" * 129, 1, "n" * 129),
        ("a\x00b", 1, "a\x00b"),
        ("a/b~c", None, "a~1b~0c"),
    ],
)
def test_a_bad_fact_is_named(world: "World", document: str, name: str, value: Any, pointer: str) -> None:
    facts = {"fine": 1, name: value}
    at = (f"/additionalFacts/{pointer}",)
    world.refuses("POST", "/v1/documents", {**world.document, "additionalFacts": facts}, at=at)
    world.refuses("PUT", document, snapshot(world, additionalFacts=facts), at=at)
    if value is not None:  # null removes it
        world.refuses("PATCH", document, {"additionalFacts": facts}, at=at)


def test_more_than_64_facts_are_refused(world: "World", document: str) -> None:
    facts = {f"fact {number}": number for number in range(65)}
    at = ("/additionalFacts",)
    world.refuses("POST", "/v1/documents", {**world.document, "additionalFacts": facts}, at=at)
    world.refuses("PUT", document, snapshot(world, additionalFacts=facts), at=at)
    world.refuses("PATCH", document, {"additionalFacts": facts}, at=at)
    full = world.create_document(additionalFacts=dict(list(facts.items())[:64]))
    path = f"/v1/documents/{full['externalId']}"
    problem = world.refuses("PATCH", path, {"additionalFacts": {"one more": 1}}, at=at)
    assert problem["errors"][0]["detail"] == "There can be at most 64 facts; this would make 65."
    replaced = world.send("PATCH", path, {"additionalFacts": {"one more": 1, "fact 0": None}}).ok()
    assert len(replaced["additionalFacts"]) == 64


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("title", "x", "x"),
        ("title", "é" * 512, "é" * 512),
        ("title", "tab\t, line\n, \x01, \x7f, \u2028, 😀", "tab\t, line\n, \x01, \x7f, \u2028, 😀"),
        ("title", " ", " "),
        ("startDate", "2024-02-29", "2024-02-29"),
        ("startDate", "0001-01-01", "0001-01-01"),
        ("startDate", "2021-11-27T13:00:00Z", "2021-11-27T13:00:00+00:00"),
        ("startDate", "2021-11-27T13:00:00.5+01:30", "2021-11-27T11:30:00.5+00:00"),
        ("startDate", "2021-11-27T13:00:00.120000-23:59", "2021-11-28T12:59:00.120000+00:00"),
        ("expiryDate", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("expiryDate", None, None),
        ("contractValue", None, None),
        ("contractValue", 0, "0.0"),
        ("contractValue", -0.0, "0.0"),
        ("contractValue", 10**13, "10000000000000.0"),
        ("contractValue", -9_999_999_999_999.99, "-9999999999999.99"),
        ("contractValue", 0.1, "0.1"),
        ("contractValue", 1e3, "1000.0"),
        ("additionalFacts", {}, {}),
        (
            "additionalFacts",
            {"n" * 128: "x" * 4096, "e": "", "t": True, "i": 2**64 - 1, "m": -(2**63), "f": 1e300},
            None,
        ),
        ("ownerEmail", "ö.x+y@exämple.com", "ö.x+y@exämple.com"),
        ("referenceId", "null", "null"),
    ],
)
def test_a_value_at_its_limit_is_kept_as_it_is(world: "World", field: str, value: Any, kept: Any) -> None:
    made = world.create_document(**{field: value})
    if field == "contractValue" and kept is not None:
        entry = world.get(f"/v1/documents/{made['externalId']}").body
        assert f'"contractValue":{kept},'.encode() in entry
    else:
        assert made[field] == (value if field == "additionalFacts" else kept)
    (last,) = world.events(world.last() - 1)
    assert last["event"]["data"]["document"][field] == made[field]


def test_a_document_that_no_event_can_carry_is_refused(world: "World", document: str) -> None:
    """64 facts of 4 KiB fit; control characters take six bytes each in JSON, and then they do not (C13)."""
    fitting = {f"fact {number}": "x" * 4096 for number in range(64)}
    world.send("PATCH", document, {"additionalFacts": fitting}).ok()
    swollen = {f"fact {number}": "\x01" * 4096 for number in range(64)}
    problem = world.refuses("POST", "/v1/documents", {**world.document, "additionalFacts": swollen}, status=413)
    assert problem["code"] == "body_too_large"
    # A patch at a time, each within 1 MiB, must not get past the limit either.
    half = {f"fact {number}": "\x01" * 4096 for number in range(32)}
    world.send("PATCH", document, {"additionalFacts": half}).ok()
    rest = {f"fact {number}": "\x01" * 4096 for number in range(32, 64)}
    world.refuses("PATCH", document, {"additionalFacts": rest}, at=("/additionalFacts",))


def with_amount(world: "World", written: str) -> bytes:
    """The body of a creation with an amount that is written so."""
    return json.dumps({**world.document, "contractValue": "AMOUNT"}).replace('"AMOUNT"', written).encode()


@pytest.mark.parametrize(
    "written", ["1e-400", "19.990000000000000001", "0.000000000000000000001", "1234567890.125", "1.5e-2", "1e-3"]
)
def test_an_amount_with_more_than_two_decimals_is_refused_as_it_is_written(world: "World", written: str) -> None:
    """C8: a double would hide the digits that it has no room for."""
    problem = world.refuses("POST", "/v1/documents", with_amount(world, written), at=("/contractValue",))
    assert problem["errors"][0]["code"] == "too_many_decimals"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("19.990000000000000000000", "19.99"),
        ("1.5e3", "1500.0"),
        ("15E-1", "1.5"),
        ("9999999999999.99", "9999999999999.99"),
        ("1e13", "10000000000000.0"),
        ("0e-400", "0.0"),
        ("-0.00", "0.0"),
    ],
)
def test_an_amount_is_kept_however_it_is_written(world: "World", written: str, kept: str) -> None:
    """C8"""
    made = world.send("POST", "/v1/documents", with_amount(world, written))
    assert made.status == 201
    assert f'"contractValue":{kept},'.encode() in made.body


@pytest.mark.parametrize("written", ["1e-400", "-1e-400"])
def test_a_fact_that_a_double_would_make_zero_is_refused(world: "World", written: str) -> None:
    body = json.dumps({**world.document, "additionalFacts": {"tiny": "FACT"}}).replace('"FACT"', written).encode()
    world.refuses("POST", "/v1/documents", body, at=("/additionalFacts/tiny",))
