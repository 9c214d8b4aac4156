"""Which signatures of other systems a subscription may send beside the gateway's own."""

from typing import Any

import pytest

from signalpost.domain.body import read
from signalpost.domain.errors import Invalid
from signalpost.domain.old_signature import Algorithm, OldSignature, check_apart, with_secrets
from signalpost.domain.subscription_requests import SubscriptionPatch, SubscriptionRequest

CONVOY = {
    "header": "X-Convoy-Signature",
    "over": "{timestamp},{body}",
    "prefix": "t={timestamp},v1=",
    "secret": "convoy's secret",
}


def given(*each: Any) -> Any:
    body = {"url": "https://example.com/hook", "eventTypes": ["documentCreated"], "signAlso": [*each]}
    return read(SubscriptionRequest, body).sign_also


def changed(*each: Any) -> Any:
    return read(SubscriptionPatch, {"signAlso": [*each]}).sign_also


def refused(*each: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as invalid:
        with_secrets(given(*each), ())
    return {error.pointer: error.code for error in invalid.value.errors}


def test_what_is_left_out_is_the_hash_of_the_body_in_hex() -> None:
    [signature] = with_secrets(given({"header": "X-Old", "secret": "s3cr"}), ())
    assert signature == OldSignature("X-Old", Algorithm.SHA256, "hex", "{body}", "", "s3cr")


@pytest.mark.parametrize(
    ("wrong", "at", "code"),
    [
        ({"header": {}}, "header", "wrong_type"),
        ({"header": "webhook-signature"}, "header", "reserved_header"),
        ({"header": "Content-Type"}, "header", "reserved_header"),
        ({"header": "x y"}, "header", "bad_header_name"),
        ({"algorithm": "md5"}, "algorithm", "not_allowed"),
        ({"encoding": "base32"}, "encoding", "not_allowed"),
        ({"over": "{timestamp}"}, "over", "no_body"),
        ({"over": "{body}{body}"}, "over", "no_body"),
        ({"over": "{body}.{secret}"}, "over", "unknown_placeholder"),
        ({"over": "ü{body}"}, "over", "forbidden_character"),
        ({"prefix": "{body}"}, "prefix", "unknown_placeholder"),
        ({"prefix": "a}"}, "prefix", "unknown_placeholder"),
        ({"prefix": "a\r\nx-y: "}, "prefix", "forbidden_character"),
        ({"secret": ""}, "secret", "wrong_length"),
        ({"more": 1}, "more", "unknown_field"),
    ],
)
def test_what_cannot_be_is_refused_by_its_member(wrong: dict[str, Any], at: str, code: str) -> None:
    assert refused({**CONVOY, **wrong}) == {f"/signAlso/0/{at}": code}


def test_there_are_two_at_most_each_with_a_header_and_a_secret_of_its_own() -> None:
    without = {name: value for name, value in CONVOY.items() if name != "secret"}
    assert refused(without) == {"/signAlso/0/secret": "required"}
    assert refused(CONVOY, {**CONVOY, "header": "x-convoy-signature"}) == {"/signAlso/1/header": "duplicate"}
    assert set(refused(*({**CONVOY, "header": f"X-{number}"} for number in range(3)))) == {"/signAlso"}


def test_a_patch_without_a_secret_keeps_that_of_the_same_header_and_of_no_other() -> None:
    before = with_secrets(given(CONVOY), ())
    [after] = with_secrets(changed({"header": "x-convoy-signature", "algorithm": "sha512"}), before)
    assert (after.secret, after.algorithm, after.over) == ("convoy's secret", "sha512", "{body}")
    with pytest.raises(Invalid):
        with_secrets(changed({"header": "X-Other"}), before)
    assert with_secrets((), before) == ()


def test_no_additional_header_is_that_of_a_signature() -> None:
    signatures = with_secrets(given(CONVOY), ())
    check_apart(signatures, {"x-convoy"})
    with pytest.raises(Invalid) as invalid:
        check_apart(signatures, {"X-CONVOY-signature"})
    assert [error.pointer for error in invalid.value.errors] == ["/headers/X-CONVOY-signature"]


def test_a_secret_is_in_no_representation() -> None:
    assert CONVOY["secret"] not in repr(with_secrets(given(CONVOY), ()))
