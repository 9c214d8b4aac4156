"""Bodies that cannot be read: each is refused with the place that is wrong, on every call that takes one, and nothing
is changed."""

import json
import re
import sys
import tracemalloc
from decimal import Decimal
from itertools import accumulate
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http import body, crowded_body
from signalpost.api.http.body import read_json
from signalpost.api.http.broken_json import break_in
from signalpost.api.http.crowded_body import MAX_DEPTH, MAX_VALUES, crowded_at, nests_too_deep
from signalpost.domain.errors import Unparseable

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

REST = '"type": "NDA", "ownerEmail": "o@example.com", "authorEmail": "a@example.com"'
ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
MIB = 1024 * 1024


@pytest.fixture(params=["POST /v1/documents", "PATCH document", "PUT document", "POST /v1/subscriptions", "PATCH sub"])
def call(request: pytest.FixtureRequest, document: str, subscription: str) -> tuple[str, str]:
    """Every call that takes a JSON body."""
    calls = {
        "POST /v1/documents": ("POST", "/v1/documents"),
        "PATCH document": ("PATCH", document),
        "PUT document": ("PUT", document + "?sourceVersion=9"),
        "POST /v1/subscriptions": ("POST", "/v1/subscriptions"),
        "PATCH sub": ("PATCH", subscription),
    }
    return calls[request.param]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "empty_body", id="empty"),
        pytest.param(b" \r\n\t", "empty_body", id="white space"),
        pytest.param(b"{", "invalid_json", id="an object that does not end"),
        pytest.param(b"{}}", "invalid_json", id="one bracket too many"),
        pytest.param(b"{} {}", "invalid_json", id="two values"),
        pytest.param(b"{}\x00", "invalid_json", id="a NUL after the value"),
        pytest.param(b"{'type': 1}", "invalid_json", id="single quotes"),
        pytest.param(b"// no\n{}", "invalid_json", id="a comment"),
        pytest.param(b"type=NDA&title=x", "invalid_json", id="a form"),
        pytest.param(b"\xef\xbb\xbf{}", "byte_order_mark", id="a byte-order mark"),
        pytest.param("{}".encode("utf-16"), "invalid_utf8", id="UTF-16"),
        pytest.param(b"\x80{}", "invalid_utf8", id="no UTF-8"),
        pytest.param(b"\x1f\x8b\x08\x00", "invalid_utf8", id="gzip"),
        pytest.param(b"NaN", "not_a_number", id="NaN"),
        pytest.param(b"-Infinity", "not_a_number", id="an infinity"),
        pytest.param(b"1" * 5000, "not_a_number", id="5000 digits"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_by_every_call(
    world: "World", call: tuple[str, str], body: bytes, code: str
) -> None:
    problem = world.refuses(*call, body, status=400, at=("",), code=code)
    assert problem["title"] == "Bad request"
    assert problem["errors"][0]["detail"] == problem["detail"]


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000, '[{"a":' * 50_000], ids=["[", "{", "[{"])
def test_nesting_without_end_is_refused_by_every_call(world: "World", call: tuple[str, str], nested: str) -> None:
    problem = world.send(*call, nested.encode()).json
    assert (problem["status"], problem["code"]) == (400, "nested_too_deep")
    assert problem["detail"] == "At most 100 levels of nesting are read (line 1, column {}).".format(
        {"[": 101, "{": 501, "[{": 301}[nested[:2].replace("[[", "[").replace('{"', "{")]
    )
    balanced = nested + nested[::-1].translate(str.maketrans("[{", "]}", '":a'))
    assert world.send(*call, balanced.encode()).json["code"] == "nested_too_deep"


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a":' * 100_000, "[" * 300 + "]" * 300, '[{"a":' * 2_000])
@pytest.mark.parametrize(
    ("start", "pointer"),
    [('{"title": ', "/title"), ('{"additionalFacts": {"no": 1, "fact": ', "/additionalFacts/fact")],
)
def test_nesting_inside_a_field_names_the_field(world: "World", start: str, pointer: str, value: str) -> None:
    answer = world.send("POST", "/v1/documents", (start + value + "}" * start.count("{")).encode())
    assert answer.status in (400, 422)
    assert answer.json["errors"][0]["pointer"].startswith(pointer)


A_VALUE = "a value is expected"
NO_TEXT = "a text cannot have this as it is"


@pytest.mark.parametrize(
    ("body", "pointer", "what", "place"),
    [
        ('{"title": }', "/title", A_VALUE, (1, 11)),
        ('{\n  "type": "NDA",\n  "title": tru\n}', "/title", A_VALUE, (3, 12)),
        ('{"type": "NDA", "title": "x', "/title", "it ends too early", (1, 28)),
        ('{"type": "NDA", "title" \n ', "", "it ends too early", (2, 2)),
        ('{"type": "NDA", "title": "a\tb"}', "/title", NO_TEXT, (1, 28)),
        ('{"type": "NDA", "title": "\x00"}', "/title", NO_TEXT, (1, 27)),
        ('{"type": "NDA", "title": "\\x"}', "/title", NO_TEXT, (1, 27)),
        ('{"type": "NDA", "title": "\\ud83"}', "/title", NO_TEXT, (1, 27)),
        ('{"type": "NDA", "contractValue": 01}', "/contractValue", "a comma or } is expected", (1, 35)),
        ('{"type": "NDA", "contractValue": 1.}', "/contractValue", "a comma or } is expected", (1, 35)),
        ('{"type": "NDA", "contractValue": +1}', "/contractValue", A_VALUE, (1, 34)),
        ('{"type": "NDA", "contractValue": 0x10}', "/contractValue", "a comma or } is expected", (1, 35)),
        ('{"additionalFacts": {"a": 1, "b": nul}}', "/additionalFacts/b", A_VALUE, (1, 35)),
        ('{"additionalFacts": {"a/b~": ?}}', "/additionalFacts/a~1b~0", A_VALUE, (1, 30)),
        ('{"additionalFacts": {"a\\"b": ?}}', '/additionalFacts/a"b', A_VALUE, (1, 30)),
        ('{"additionalFacts": {"": ?}}', "/additionalFacts/", A_VALUE, (1, 26)),
        ('{"latestVersion": {"downloadUrl": [1, {"a": ?}]}}', "/latestVersion/downloadUrl", A_VALUE, (1, 45)),
        ('{"eventTypes": ["documentCreated", ?]}', "/eventTypes/1", A_VALUE, (1, 36)),
        ('{"eventTypes": ["documentCreated",]}', "/eventTypes/1", A_VALUE, (1, 35)),
        ('{"eventTypes": [?', "/eventTypes/0", "a value or ] is expected", (1, 17)),
        ('{"eventTypes": ["documentCreated"}', "/eventTypes/0", "a comma or ] is expected", (1, 34)),
        ('{"title": "\\ud800", "type": ?}', "/type", A_VALUE, (1, 29)),
        ('{"contractValue": NaN, "type": ?}', "/type", A_VALUE, (1, 32)),
        # What is wrong here is between the fields, not in the one before.
        ('{"type": "NDA",}', "", "a name in double quotes is expected", (1, 16)),
        ('{"type": "NDA" , }', "", "a name in double quotes is expected", (1, 18)),
        ('{"type": "NDA", title: "x"}', "", "a name in double quotes is expected", (1, 17)),
        ("{'type': 1}", "", "a name in double quotes or } is expected", (1, 2)),
        ('{"type": "NDA" "title": "x"}', "/type", "a comma or } is expected", (1, 16)),
        ('{"type" "NDA"}', "", "a colon is expected", (1, 9)),
        ('{"title": "é", "type": ?}', "/type", A_VALUE, (1, 24)),
        ('{"type": "NDA"}}', "", "the end is expected", (1, 16)),
    ],
)  # fmt: skip
def test_broken_json_is_named_by_position_and_field(
    world: "World", body: str, pointer: str, what: str, place: tuple[int, int]
) -> None:
    """In the same words with every version of Python."""
    problem = world.refuses("POST", "/v1/documents", body.encode(), status=400, at=(pointer,), code="invalid_json")
    assert problem["detail"] == f"This is not JSON: {what} (line {place[0]}, column {place[1]})."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda s: st.lists(s) | st.dictionaries(st.text(), s),
)


@given(JSON, st.none() | st.just(1), st.data(), st.integers(0, 2))
def test_json_breaks_where_what_stands_before_could_still_go_on(
    value: Any, indent: int | None, data: st.DataObject, instead: int
) -> None:
    """With one character more it could not, in the eyes of another decoder."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(["", *'{}[]",:\\ \n019-.eutn\x00', "true", "1.", "\\n"]))
    text = text[:at] + put + text[at + instead :]
    position, what = break_in(text)
    assert could_go_on(text[:position])
    if position == len(text):
        assert what == "it ends too early"
    elif text[position] not in "tfneE\\":  # of a word, an exponent and an escape, the other one looks at the whole
        assert not could_go_on(text[: position + 1])


_decode = msgspec.json.Decoder(float_hook=str).decode
"""Does not say of a number that it is out of range, whatever stands behind it."""


def could_go_on(text: str) -> bool:
    try:
        _decode(text.encode())
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    return True


@pytest.mark.parametrize("levels", [99, 100, 900, 2_000, 4_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
@pytest.mark.parametrize("size", [0, 20_000])
def test_how_many_levels_are_read_depends_on_nothing_else(levels: int, pair: str, size: int) -> None:
    """Neither on how large a body is, nor on the decoder, which stands other numbers with each version of Python."""
    opening = {"[]": "[", "{}": '{"a":'}[pair]
    text = f'{{"{"[" * size}": {opening * levels}1{pair[1] * levels}}}'
    if levels < 100:
        read_json(text.encode())
    else:
        with pytest.raises(Unparseable) as refused:
            read_json(text.encode())
        assert refused.value.code == "nested_too_deep"


@pytest.mark.parametrize("body", [b"[" * 16_000, b"[" * 8_000 + b"]" * 8_000, (b"[" * 90 + b"]" * 90) * 90])
def test_how_deep_a_body_is_is_found_at_once_and_not_level_by_level(body: bytes) -> None:
    """Counted in calls: each may look at the whole body."""
    called = 0

    def count(_frame: FrameType, event: str, _given: Any) -> None:
        nonlocal called
        called += event == "c_call"

    sys.setprofile(count)
    try:
        deep = nests_too_deep(body)
    finally:
        sys.setprofile(None)
    assert (deep, called < 20) == (not body.startswith(b"[" * 90 + b"]"), True)


def _nested(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(values).map(lambda each: f"[{', '.join(each)}]")
    return lists | st.lists(values).map(lambda each: "{" + ", ".join(f'"]": {value}' for value in each) + "}")


@given(st.recursive(st.sampled_from(["1", '"]}]}"', '"[{"']), _nested, max_leaves=30))
def test_as_many_levels_are_counted_as_a_body_has(text: str) -> None:
    levels = [1 if mark in "[{" else -1 for mark in re.sub(r'"[^"]*"|[^][{}]', "", text)]
    most = max(accumulate(levels), default=0)
    for around in (MAX_DEPTH - most, MAX_DEPTH - most + 1):
        wrapped = "[" * around + text + "]" * around
        assert nests_too_deep(wrapped.encode()) == (around + most > MAX_DEPTH)
        assert not nests_too_deep(("]" * MAX_DEPTH + wrapped).encode()), "it is no JSON from its first byte on"


@pytest.mark.parametrize(
    ("body", "pointer", "column"),
    [
        (b'{"title": "\xff"}', "/title", 12),
        ('{"type": "é😀", "title": "é'.encode() + b'\xff"}', "/title", 27),
        (b'{"title": "\xc3', "/title", 12),
        (b'{"title": "\xc3"}', "/title", 12),
        (b'{"title": "\xf0\x9f\x98"}', "/title", 12),
        (b'{"title": "\xed\xa0\x80"}', "/title", 12),
        (b'{"title": "\xc0\x80"}', "/title", 12),
        (b'{"\xff": 1}', "", 3),
        (b'{"additionalFacts": {"a": 1, "\xfe": 1}}', "/additionalFacts", 31),
        (b'{"additionalFacts": {"a": "\xfe"}}', "/additionalFacts/a", 28),
    ],
)
def test_what_is_no_utf8_is_named_by_position_and_field(world: "World", body: bytes, pointer: str, column: int) -> None:
    problem = world.refuses("POST", "/v1/documents", body, status=400, at=(pointer,), code="invalid_utf8")
    assert problem["detail"] == f"The body must be UTF-8 (line 1, column {column})."


LARGE_TEXT = b'{"additionalFacts": ["' + b"x" * 200_000 + b'", '
LARGE = LARGE_TEXT + b"[], " * 3_000 + b"\n"


@pytest.mark.parametrize(
    ("end", "code", "detail"),
    [
        (b"x]}", "invalid_json", "This is not JSON: invalid character (line 2, column 1)."),
        (b"1,]}", "invalid_json", "This is not JSON: trailing comma in array (line 2, column 3)."),
        (b"1]} {}", "invalid_json", "This is not JSON: trailing characters (line 2, column 5)."),
        (b'"\xc3\xa9"]}}', "invalid_json", "This is not JSON: trailing characters (line 2, column 6)."),
        (b'"\xc3\xa9", NaN]}', "not_a_number", "This is not a JSON number (line 2, column 6)."),
        (b'"\xc3\xa9\xff"]}', "invalid_utf8", "The body must be UTF-8 (line 2, column 3)."),
        (b"1", "invalid_json", "This is not JSON: it ends too early, or has a lone surrogate."),
        (b'"\\ud800"]}', "invalid_json", "This is not JSON: it ends too early, or has a lone surrogate."),
        (b"1e999]}", "not_a_number", "NaN, infinities and numbers beyond a double's range are not JSON numbers."),
        (b"[" * 2_000, "nested_too_deep", "At most 100 levels of nesting are read."),
    ],
)
def test_of_a_large_body_the_position_alone_is_told(world: "World", end: bytes, code: str, detail: str) -> None:
    """To find the field takes half a second a megabyte, in which nothing else is done."""
    problem = world.refuses("POST", "/v1/documents", LARGE + end, status=400, at=("",), code=code)
    assert problem["detail"] == detail


@pytest.mark.parametrize("end", [b"x]}", b"1,]}", b"NaN]}", b'"\xff"]}', b"1", b"1e999]}", b"[" * 2_000])
def test_python_takes_no_step_for_each_value_of_a_large_body_that_is_refused(end: bytes) -> None:
    """Counted in lines of Python: the same few for three thousand values as for one thousand."""
    assert lines_for(LARGE + end) == lines_for(LARGE_TEXT + b"[], " * 1_000 + b"\n" + end)


CROWDED = {
    "lists": b"[],",
    "numbers": b"1,",
    "decimals": b"1.5,",
    "texts": b'"",',
    "texts with quotes": b'"\\"",',
    "texts that are not divided": b'""',
    "objects": b'{"a":{}},',
    "lists in lists": b"[[[]]],",
}


@pytest.mark.parametrize("value", CROWDED.values(), ids=CROWDED)
def test_a_body_with_very_many_values_is_refused_before_it_is_read(world: "World", value: bytes) -> None:
    """The field in which they become too many is named; a larger body takes no more steps."""
    content = b'{"additionalFacts": [' + value * (MIB // len(value) // 2)
    at = world.send("POST", "/v1/documents", content).json["errors"][0]["pointer"]
    assert at.startswith("/additionalFacts/")
    world.refuses("POST", "/v1/documents", content, status=400, at=(at,), code="too_many_values")
    assert lines_for(content) == lines_for(content + value * (MIB // len(value) // 3))


@pytest.mark.parametrize("text", [b",[{" * 100_000, b'\\"' * 100_000, b"\\\\" * 100_000, b'\\"[,' * 100_000])
def test_what_a_text_says_counts_as_one_value(text: bytes) -> None:
    assert read_json(b'{"a": "%b", "b": ["%b", 1]}' % (text, text))["b"][1] == 1


@given(st.recursive(st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.text(), s), max_leaves=50))
def test_values_and_names_are_counted_exactly_where_it_matters(value: Any) -> None:
    """Beside texts that are full of what begins values."""
    fill = '[{,"' * MAX_VALUES
    content = msgspec.json.encode([fill, value])
    more = MAX_VALUES - len(re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{,]', content, re.DOTALL))
    assert crowded_at(content[:-1] + b",1" * more + b"]") is None
    assert crowded_at(content[:-1] + b",1" * (more + 1) + b"]") is not None


def lines_for(content: bytes) -> int:
    """Returns how many lines of Python it takes to refuse a body."""
    count = 0

    def trace(frame: FrameType, event: str, _given: Any) -> Any:
        nonlocal count
        count += event == "line" and frame.f_code.co_filename in (body.__file__, crowded_body.__file__)
        return trace

    sys.settrace(trace)
    try:
        read_json(content)
    except Unparseable:
        return count
    finally:
        sys.settrace(None)
    pytest.fail("it was read")


def test_nothing_is_made_of_a_body_with_very_many_values() -> None:
    """Three hundred thousand lists would be twenty megabytes, and a thread that makes them lets no other thread run."""
    content = b'{"additionalFacts": [' + b"[]," * 300_000 + b"1]}"
    with pytest.raises(Unparseable):
        read_json(content)
    tracemalloc.start()
    try:
        with pytest.raises(Unparseable):
            read_json(content)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 4301, "9" * 400 + ".5"])
def test_what_is_no_number_is_named_wherever_it_is(world: "World", number: str) -> None:
    body = '{"contractValue": %s, "additionalFacts": {"a": %s, "b": 1}, "title": [0, %s]}' % ((number,) * 3)
    at = ("/contractValue", "/additionalFacts/a", "/title/1")
    world.refuses("POST", "/v1/documents", body.encode(), status=400, at=at, code="not_a_number")


def test_no_more_that_is_no_number_is_named_than_a_person_can_read(world: "World") -> None:
    """A body of the limit would have had an answer of 33 MB; with a long name, one larger than any memory."""
    numbers = ",".join(["NaN"] * 1000)
    for name, at in (("title", tuple(f"/title/{index}" for index in range(100))), ("x" * 100_000, ("",))):
        body = f'{{"{name}": [{numbers}]}}'
        world.refuses("POST", "/v1/documents", body.encode(), status=400, at=at, code="not_a_number")


def test_what_is_no_number_is_refused_though_a_repeated_name_hides_it(world: "World") -> None:
    body = '{"title": "x", "contractValue": NaN, "contractValue": 1, ' + REST + "}"
    world.refuses("POST", "/v1/documents", body.encode(), status=400, at=("",), code="not_a_number")


def test_every_lone_surrogate_is_named_beside_what_else_is_wrong(world: "World") -> None:
    body = (
        r'{"type": "\ud800", "title": "a\udfffb", "ownerEmail": "\udc00@x", "authorEmail": 1, "\ud83d": 1,'
        r' "additionalFacts": {"\udbff": 1, "ok": "\ud800\ud800", "fine": "\ud83d\ude00"},'
        r' "startDate": "\udc00", "status": "created"}'
    )
    at = (
        "/type", "/title", "/ownerEmail", "/authorEmail", r"/\ud83d", r"/additionalFacts/\udbff", "/additionalFacts/ok",
        "/startDate", "/status",
    )  # fmt: skip
    world.refuses("POST", "/v1/documents", body.encode(), at=at)


def test_every_lone_surrogate_of_a_subscription_is_named(world: "World") -> None:
    body = (
        r'{"name": "\ud800", "url": "https://x/\udc00", "eventTypes": ["\ud800"], "headers": {"\ud800": "", "x":'
        r' "\ud800"}, "secret": "12345678\ud800", "ordering": "\ud800", "status": "\ud800", "\udfff": null}'
    )
    at = (
        "/name", "/url", "/eventTypes/0", r"/headers/\ud800", "/headers/x", "/secret", "/ordering", "/status",
        r"/\udfff",
    )  # fmt: skip
    world.refuses("POST", "/v1/subscriptions", body.encode(), at=at)


def test_a_pair_of_surrogates_is_a_character(world: "World") -> None:
    body = r'{"title": "\ud83d\ude00", ' + REST + "}"
    assert world.send("POST", "/v1/documents", body.encode()).ok(201)["title"] == "😀"


def test_of_a_name_that_is_repeated_the_last_value_counts(world: "World") -> None:
    repeated = r', "title": "\ud800", "additionalFacts": {"a": [], "a": "abc"}, "title": "last"}'
    body = '{"title": 5, ' + REST + repeated
    made = world.send("POST", "/v1/documents", body.encode()).ok(201)
    assert made["title"] == "last"
    assert made["additionalFacts"] == {"a": "abc"}


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", [], [{}]])
def test_a_body_that_is_no_object_is_refused_by_every_call(world: "World", call: tuple[str, str], value: Any) -> None:
    problem = world.refuses(*call, json.dumps(value).encode(), at=("",))
    assert problem["errors"][0]["detail"] == "The body must be a JSON object."


def test_unknown_fields_are_all_named_by_every_call(world: "World", call: tuple[str, str]) -> None:
    answer = world.send(*call, {"Title": "x", "": 1, "a/b~c": 2, "__proto__": {}, "createdby": None, "\x00": 1})
    unknown = [e["pointer"] for e in answer.json["errors"] if e["code"] == "unknown_field"]
    assert answer.status == 422
    assert unknown == ["/Title", "/", "/a~1b~0c", "/__proto__", "/createdby", "/\x00"]


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application",
     "", " ", "application/json-patch+json", "application/problem+json"],
)  # fmt: skip
def test_a_content_type_that_is_no_json_is_refused_by_every_call(
    world: "World", call: tuple[str, str], media_type: str
) -> None:
    problem = world.refuses(*call, b"{}", status=415, headers={"content-type": media_type}, code="wrong_media_type")
    assert problem["detail"] == (
        f"Send `content-type: application/json`, not `{media_type.partition(';')[0].strip()}`."
    )


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "APPLICATION/JSON; charset=utf-8", "application/merge-patch+json", None],
)
def test_json_is_taken_under_any_of_its_names(world: "World", media_type: str | None) -> None:
    body = json.dumps(world.document).encode()
    headers = {} if media_type is None else {"content-type": media_type}
    connection_headers = {"authorization": f"Bearer {world.key}", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in connection_headers.items())
    head = f"POST /v1/documents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
    assert world.raw(head.encode() + body).startswith(b"HTTP/1.1 201 ")


# --- The limit of 1 MiB -----------------------------------------------------------------------------------------------


def padded(world: "World", size: int) -> bytes:
    body = json.dumps(dict(world.document)).encode()
    return body + b" " * (size - len(body))


def chunked(world: "World", target: str, chunks: list[bytes]) -> bytes:
    head = (
        f"{target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {world.key}\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    )
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_a_body_of_1_mib_is_read(world: "World") -> None:
    world.send("POST", "/v1/documents", padded(world, MIB)).ok(201)
    half = padded(world, MIB)
    pieces = [half[at : at + 65536] for at in range(0, MIB, 65536)]
    assert world.raw(chunked(world, "POST /v1/documents", pieces)).startswith(b"HTTP/1.1 201 ")


def test_a_longer_body_is_refused_by_every_call(world: "World", call: tuple[str, str]) -> None:
    problem = world.refuses(*call, padded(world, MIB + 1), status=413, code="body_too_large")
    assert problem["detail"] == "A body can have at most 1048576 bytes."


def test_a_longer_body_in_chunks_is_refused(world: "World") -> None:
    before = world.state()
    body = padded(world, MIB + 1)
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    assert world.raw(chunked(world, "POST /v1/documents", pieces)).startswith(b"HTTP/1.1 413 ")
    assert world.state() == before


def test_a_length_without_end_is_refused_before_its_body_came(world: "World") -> None:
    head = (
        f"POST /v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
        "connection: close\r\ncontent-length: 99999999999999\r\n\r\n{"
    )
    answer = world.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_ends_too_early_changes_nothing(world: "World") -> None:
    before = world.state()
    head = f"POST /v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\ncontent-length: 500\r\n\r\n"
    answer = world.raw(head.encode() + json.dumps(dict(world.document)).encode(), hang_up=True)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert world.state() == before


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_no_digit_of_a_number_is_lost_before_it_is_checked(written: str) -> None:
    number = read_json(written.encode())
    assert Decimal(repr(number) if isinstance(number, float) else number) == Decimal(written)
