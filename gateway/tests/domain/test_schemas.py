"""What the schema of a field tells programs is what its check does, as far as a schema can say it."""

from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from signalpost.domain import endpoint, fields, subscription
from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents import document
from signalpost.domain.fields import Field

BOTH: list[tuple[Field, list[Any], list[Any]]] = [
    (fields.text(3, least=2), ["ab", "ä😀ß", "a\nb"], ["a", "abcd", "a\x00", 1, None]),
    (fields.email, ["a@b", "ä@ü.example", "a+b@c.d"], ["a", "a@", "@b", "a b@c", "a@b@c", "a@b\nc",
     "a@\x85", "a@\ufeff"]),
    (fields.uuid, ["d24c0644-1d31-47fa-960e-b0cc8b4f136c"], ["d24c0644", "", "x" * 36]),
    (
        fields.timestamp,
        ["2026-01-15T09:30:00Z", "2026-01-15T09:30:00.123456-23:59"],
        ["2026-01-15", "2026-01-15T09:30:00", "2026-01-15T09:30:00.1234567Z", "2016-12-31T23:59:60Z",
         "2026-01-15t09:30:00z", "2026-01-15T09:30:00+24:00"],
    ),
    (
        fields.date_or_timestamp,
        ["2026-01-15", "2026-01-15T09:30:00Z"],
        ["2026-02-30", "2026-01-15T09:30:00.1234567Z", "15.01.2026"],
    ),
    (fields.money, [0, 19.99, 0.07, -1e13, 10**13], [1e13 + 1, "1", True]),
    (fields.whole_number(1, 9), [1, 9, 2.0], [0, 10, 1.5, "1", True]),
    (fields.one_of("a", "b"), ["a"], ["A", "", None]),
    (fields.truth, [True], [1, "true"]),
    (fields.nullable(fields.money), [None, 1.5], ["1"]),
    (document.additional_facts, [{}, {"a": 1, "b": "", "c": True, "d": 1e300}],
     [{"": 1}, {"a": None}, {"a": []}, {"\x00": 1}, {"a": "\x00"}, {"a": "x" * 4097}, {"x" * 129: 1},
      dict.fromkeys(map(str, range(65)), 1), None]),
    (document.additional_facts_patch, [None, {"a": None}, {"a": 1}], [{"": None}, {"x" * 129: None}, {"a": {}}]),
    (document.version, [{"number": "1", "downloadUrl": "x"}], [{"number": "1"}, {"number": "1", "downloadUrl": ""},
     {"number": "1", "downloadUrl": "x", "size": 1}]),
    (
        endpoint.url,
        ["https://a", "https://example.com:65535/x?y=%20", "HTTPS://Example.com?q", "http://1.2.3.4:80/",
         "https://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])],
        ["ftp://a", "https://", "https://a/#f", "https://u:p@a/", "https://a:0/", "https://a:65536/", "https://a/ b",
         "https://a/ä", "https://-a/", "https://a..b/", "https://" + "a" * 64, "https://a/\nb",
         "https://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 62]), "https://a/" + "b" * 2040],
    ),
    (endpoint.headers, [{}, {"X-A": "b c", "y": ""}],
     [{"a b": "c"}, {"": "c"}, {"a": " c"}, {"a": "b\nc"}, {"a": "ä"}, {"a": 1}, {"x" * 129: "a"}, {"a": "b" * 4097},
      {str(n): "a" for n in range(21)}]),
    (subscription.event_types, [["documentCreated"]],
     [[], ["documentRead"], "documentCreated", ["documentCreated"] * 11]),
    (subscription.retry_delays, [[], [1, 86_400]], [[0], [86_401], [1.5], [1] * 11]),
]  # fmt: skip
TAKEN = [(field, value) for field, taken, _ in BOTH for value in taken]
REFUSED = [(field, value) for field, _, refused in BOTH for value in refused]


def allows(field: Field, value: Any) -> bool:
    validator = OAS31Validator(dict(field.schema), format_checker=OAS31Validator.FORMAT_CHECKER)
    return bool(validator.is_valid(value))


@pytest.mark.parametrize(("field", "value"), TAKEN)
def test_what_a_check_takes_its_schema_allows(field: Field, value: Any) -> None:
    field(value)
    assert allows(field, value)


@pytest.mark.parametrize(("field", "value"), REFUSED)
def test_what_a_check_refuses_its_schema_forbids(field: Field, value: Any) -> None:
    with pytest.raises((Bad, Several)):
        field(value)
    assert not allows(field, value)
