import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from signalpost_receiver import ConfigError, Signer, make_token, sign, standard_secret

BODY = '{"id":"8cfa669c","title":"Señor"}'.encode()
TOKENS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


def verify_signature(payload: Any, headers: Any, secret_token: Any) -> Any:
    """The public page's own function, as it stands there."""
    actual_signature = headers["plexus-webhook-signature"]
    expected_signature = hmac.new(key=secret_token, msg=payload, digestmod=hashlib.sha512).hexdigest()
    return hmac.compare_digest(actual_signature, expected_signature)


@given(token=TOKENS, body=st.binary(max_size=3000))
def test_c19_the_pages_own_function_accepts_every_signature(token: str, body: bytes) -> None:
    headers = {sign.PAGE_SIGNATURE: Signer(token).page_signature(body)}
    assert verify_signature(body, headers, token.encode()) is True


@given(token=TOKENS, body=st.binary(max_size=3000), seconds=st.integers(0, 2**40))
def test_c20_any_other_token_keys_with_its_bytes(token: str, body: bytes, seconds: int) -> None:
    mac = hmac.digest(token.encode(), f"an-id.{seconds}.".encode() + body, "sha256")
    assert Signer(token).standard_signature("an-id", seconds, body) == "v1," + base64.b64encode(mac).decode()


@given(key=st.binary(min_size=24, max_size=64), body=st.binary(max_size=3000))
def test_c20_a_token_in_standard_form_keys_with_the_decoded_bytes(key: bytes, body: bytes) -> None:
    token = "whsec_" + base64.b64encode(key).decode()
    mac = hmac.digest(key, b"an-id.1." + body, "sha256")
    assert Signer(token).standard_signature("an-id", 1, body) == "v1," + base64.b64encode(mac).decode()
    assert standard_secret(token) == token


@pytest.mark.parametrize(
    "token",
    [
        make_token(lambda size: bytes(range(size))),
        "an owner's own token",
        "whsec_bm90IGxvbmcgZW5vdWdo",  # decodes to fewer than 24 bytes
        "whsec_not base64 at all, ünfortunately",
        "ключ-ключ",
        "x" * 256,
    ],
)
def test_c20_the_standard_library_verifies_unmodified(token: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": "018f2b3c-41cc-712c-858d-0374e2c007fc",
        "webhook-timestamp": str(now),
        "webhook-signature": Signer(token).standard_signature("018f2b3c-41cc-712c-858d-0374e2c007fc", now, BODY),
    }
    assert Webhook(standard_secret(token)).verify(BODY, headers) == {"id": "8cfa669c", "title": "Señor"}


@pytest.mark.parametrize(
    "token",
    [
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),  # no padding
        "whsec_" + "A" * 42 + "B=",  # bits set that the decoder drops
        "whsec_" + "-_" * 22,  # the URL alphabet
        "whsec_" + base64.b64encode(bytes(32)).decode() + "\n",
        "whsec_",
    ],
)
def test_c20_what_is_nearly_in_standard_form_counts_as_an_own_token(token: str) -> None:
    assert standard_secret(token) == "whsec_" + base64.b64encode(token.encode()).decode()


def test_c20_a_made_token_holds_32_random_bytes() -> None:
    assert make_token(lambda size: bytes(range(size))) == "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", make_token())
    assert make_token() != make_token()


@pytest.mark.parametrize("token", ["", "\ud800", None, b"bytes"])
def test_c19_an_unusable_token_is_refused(token: Any) -> None:
    with pytest.raises(ConfigError):
        Signer(token)
    with pytest.raises(ConfigError):
        standard_secret(token)


def test_a_signer_shows_no_secret() -> None:
    assert "topsecret" not in repr(Signer("topsecret"))
