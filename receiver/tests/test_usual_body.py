"""A body that is recognised as a whole is what the decoder reads in it, and nothing that it would refuse."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver.tests.requests import event_body
from receiver.tests.totality import assert_read_alike

from signalpost_receiver.testing import delivery
from signalpost_receiver.usual_body import read_usual

USUAL = event_body()


def changed(before: str, after: str) -> bytes:
    assert before.encode() in USUAL
    return USUAL.replace(before.encode(), after.encode(), 1)


@pytest.mark.parametrize(
    "body",
    [
        USUAL,
        delivery(secret="a secret of mine").body,
        delivery(secret="a secret of mine", contractValue=None, latestVersion=None, additionalFacts={}).body,
        delivery(secret="a secret of mine", title="Übereinkunft 契約 🖋", counterpartyName=None).body,
        changed('"currency":"AUD"', '"paid":true,"parts":3,"rate":0.5,"note":null'),
        changed('"contractValue":0.0', '"contractValue":-9999999999999.99'),
    ],
)
def test_c1_c7_a_usual_body_is_recognised(body: bytes) -> None:
    assert read_usual(body) is not None
    assert_read_alike(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xef\xbb\xbf" + USUAL,
        USUAL + b"\n",
        USUAL.replace(b"state", b"\xff"),
        changed('":"', '": "'),
        changed("state", 'a \\"state\\"'),
        changed("state", "two\nlines"),
        changed('{"id"', '{"id":"another","id"'),
        changed('{"id"', '{"region":"au","id"'),
        changed('"title"', '"title":"another","title"'),
        changed('"title"', '"colour":"red","title"'),
        changed('"title":"state 1"', '"title":null'),
        changed('"number":"7.1"', '"number":7.1'),
        changed('"contractValue":0.0', '"contractValue":00.0'),
        changed('"contractValue":0.0', '"contractValue":NaN'),
        changed('"contractValue":0.0', '"contractValue":1e9'),
        changed('"contractValue":0.0', '"contractValue":٣.0'),
        changed('"currency":"AUD"', '"currency":{"code":"AUD"}'),
        changed('"currency":"AUD"', '"currency":["AUD"]'),
        changed('"currency":"AUD"', '"rate":NaN'),
        changed('"currency":"AUD"', '"rate":1e99999999999999999999'),
        changed('"currency":"AUD"', '"rate":' + "9" * 10_000),
        changed('"currency":"AUD"', '"currency":"AUD",'),
        changed('"currency":"AUD"', '"currency":"A}D"'),
    ],
)
def test_c1_c7_any_other_body_is_left_to_the_decoder(body: bytes) -> None:
    assert read_usual(body) is None


PIECES = st.sampled_from(
    ['"', "\\", "\n", ",", "}", "{", "[", "null", '":"', '","title":"', "0", " ", '"type":', "NaN"]
)


@given(st.data())
def test_a_body_with_a_part_replaced_is_read_alike_or_left_to_the_decoder(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(USUAL)))
    end = data.draw(st.integers(start, min(len(USUAL), start + 30)))
    inserted = "".join(data.draw(st.lists(PIECES | st.text(max_size=3), max_size=4)))
    assert_read_alike(USUAL[:start] + inserted.encode("utf-8", "surrogatepass") + USUAL[end:])


VALUES = st.text() | st.none() | st.integers() | st.booleans() | st.decimals(-(10**15), 10**15, places=2).map(float)


@given(
    attributes=st.dictionaries(
        st.sampled_from(["title", "referenceId", "startDate", "contractValue", "counterpartyName", "latestVersion"]),
        VALUES,
    ),
    facts=st.dictionaries(st.text(), VALUES),
)
def test_an_event_with_any_values_is_read_alike_or_left_to_the_decoder(
    attributes: dict[str, Any], facts: dict[str, Any]
) -> None:
    event = json.loads(USUAL)
    event["data"]["document"] |= {**attributes, "additionalFacts": facts}
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    assert_read_alike(body.encode("utf-8", "surrogatepass"))
