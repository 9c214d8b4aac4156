"""What the schema of a field tells programs is what its check does, as far as a schema can say it."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from openapi_schema_validator import OAS31Validator

from signalpost.domain import checks, endpoint, fields, subscription_requests
from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents import bodies

BOTH: list[tuple[Any, list[Any], list[Any]]] = [
    (Annotated[str, Meta(min_length=2, max_length=3, pattern=checks.NO_NUL)],
     ["ab", "ä😀ß", "a\nb"], ["a", "abcd", "a\x00", 1, None]),
    (fields.Email, ["a@b", "ä@ü.example", "a+b@c.d"], ["a", "a@", "@b", "a b@c", "a@b@c", "a@b\nc",
     "a@\x85", "a@\ufeff"]),
    (fields.Uuid, ["d24c0644-1d31-47fa-960e-b0cc8b4f136c"], ["d24c0644", "", "x" * 36]),
    (
        fields.GivenTimestamp,
        ["2026-01-15T09:30:00Z", "2026-01-15T09:30:00.123456-23:59"],
        ["2026-01-15", "2026-01-15T09:30:00", "2026-01-15T09:30:00.1234567Z", "2016-12-31T23:59:60Z",
         "2026-01-15t09:30:00z", "2026-01-15T09:30:00+24:00"],
    ),
    (
        fields.GivenDateOrTimestamp,
        ["2026-01-15", "2026-01-15T09:30:00Z"],
        ["2026-02-30", "2026-01-15T09:30:00.1234567Z", "15.01.2026"],
    ),
    (fields.Money, [0, 19.99, 0.07, -1e13, 10**13], [1e13 + 1, "1", True]),
    (Annotated[int, Meta(ge=1, le=9)], [1, 9, 2.0], [0, 10, 1.5, "1", True]),
    (Literal["a", "b"], ["a"], ["A", "", None]),
    (bool, [True], [1, "true"]),
    (fields.Money | None, [None, 1.5], ["1"]),
    (bodies.Facts, [{}, {"a": 1, "b": "", "c": True, "d": 1e300}],
     [{"": 1}, {"a": None}, {"a": []}, {"\x00": 1}, {"a": "\x00"}, {"a": "x" * 4097}, {"x" * 129: 1},
      dict.fromkeys(map(str, range(65)), 1), None]),
    (bodies.FactsPatch, [None, {"a": None}, {"a": 1}], [{"": None}, {"x" * 129: None}, {"a": {}}]),
    (bodies.LinkedVersion, [{"number": "1", "downloadUrl": "x"}], [{"number": "1"}, {"number": "1", "downloadUrl": ""},
     {"number": "1", "downloadUrl": "x", "size": 1}]),
    (
        endpoint.EndpointUrl,
        ["https://a", "https://example.com:65535/x?y=%20", "HTTPS://Example.com?q", "http://1.2.3.4:80/",
         "https://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])],
        ["ftp://a", "https://", "https://a/#f", "https://u:p@a/", "https://a:0/", "https://a:65536/", "https://a/ b",
         "https://a/ä", "https://-a/", "https://a..b/", "https://" + "a" * 64, "https://a/\nb",
         "https://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 62]), "https://a/" + "b" * 2040],
    ),
    (endpoint.Headers, [{}, {"X-A": "b c", "y": ""}],
     [{"a b": "c"}, {"": "c"}, {"a": " c"}, {"a": "b\nc"}, {"a": "ä"}, {"a": 1}, {"x" * 129: "a"}, {"a": "b" * 4097},
      {str(n): "a" for n in range(21)}]),
    (subscription_requests.EventTypes, [["documentCreated"]],
     [[], ["documentRead"], "documentCreated", ["documentCreated"] * 11]),
    (subscription_requests.RetryDelays, [[], [1, 86_400]], [[0], [86_401], [1.5], [1] * 11]),
]  # fmt: skip
TAKEN = [(kind, value) for kind, taken, _ in BOTH for value in taken]
REFUSED = [(kind, value) for kind, _, refused in BOTH for value in refused]


def allows(kind: Any, value: Any) -> bool:
    validator = OAS31Validator(msgspec.json.schema(kind), format_checker=OAS31Validator.FORMAT_CHECKER)
    return bool(validator.is_valid(value))


@pytest.mark.parametrize(("kind", "value"), TAKEN)
def test_what_a_check_takes_its_schema_allows(kind: Any, value: Any) -> None:
    check_of(kind)(value)
    assert allows(kind, value)


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_what_a_check_refuses_its_schema_forbids(kind: Any, value: Any) -> None:
    with pytest.raises((Bad, Several)):
        check_of(kind)(value)
    assert not allows(kind, value)
