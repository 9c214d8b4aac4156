"""What an endpoint answered is kept without secrets, in whatever form it repeats them."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.destinations.members import client_authorization
from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Outcome
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.secrets import Secrets, secrets_of, without_secrets
from signalpost.domain.subscription import UNSAVED

SECRET = 'a "secret" of\\ours+/='


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps({"expected": SECRET}),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"key:" + SECRET.encode()).decode(),
        base64.b64encode(b"as" + SECRET.encode() + b" ends").decode(),
    ],
)
def test_a_secret_is_struck_in_every_form(form: str) -> None:
    struck = Secrets([SECRET]).strike(f"<p>expected {form}, got nothing</p>")
    assert "[secret]" in struck
    assert "secret" not in struck.replace("[secret]", "")
    kept = max(len(part) for part in struck.split("[secret]") if part)
    assert struck.startswith("<p>expected ")
    assert kept < len(f"<p>expected {form}, got nothing</p>") - len(SECRET)


CLIENT = OAuthClient(
    token_url="https://auth.example/token",
    client_id="a:client/1",
    client_secret="S?e~c>re/t+1",
    credentials_in="header",
)
BASIC = client_authorization(CLIENT.client_id, CLIENT.client_secret).removeprefix("Basic ")


@pytest.mark.parametrize(
    "echo",
    {
        "as it was sent": BASIC,
        "without padding": BASIC.rstrip("="),
        "in the other alphabet": BASIC.translate(str.maketrans("+/", "-_")),
        "decoded": base64.b64decode(BASIC).decode(),
        "decoded twice": f"{CLIENT.client_id}:{CLIENT.client_secret}",
        "in base64 once more": base64.b64encode(BASIC.encode()).decode(),
        "in hex": BASIC.encode().hex(),
        "percent-encoded": quote(BASIC, safe=""),
        "percent-encoded in small letters": re.sub("%..", lambda found: found[0].lower(), quote(BASIC, safe="")),
        "as a form": quote_plus(base64.b64decode(BASIC)),
        "in JSON": json.dumps(base64.b64decode(BASIC).decode())[1:-1],
        "in JSON as PHP writes it": json.dumps(f"{CLIENT.client_id}:{CLIENT.client_secret}")[1:-1].replace("/", "\\/"),
        "in HTML": html.escape(f"{CLIENT.client_id}:{CLIENT.client_secret}"),
    }.items(),
    ids=lambda echo: echo[0],
)
def test_what_a_client_says_in_its_header_is_struck_wholly_in_whatever_encoding_it_comes_back(
    echo: tuple[str, str],
) -> None:
    said = f"401 for Basic {echo[1]} of ours"
    struck = without_secrets(Outcome(answer=said.encode()), secrets_of(replace(UNSAVED, oauth=CLIENT))).answer.decode()
    assert re.fullmatch(r"401 for Basic \[secret\]=* of ours", struck), struck


@given(before=st.integers(ANSWER_KEPT_BYTES - 60, ANSWER_KEPT_BYTES), secret=st.text("abcdef", min_size=8, max_size=40))
def test_a_secret_that_is_cut_off_at_the_end_of_what_is_kept_is_struck(before: int, secret: str) -> None:
    answer = (b"-" * before + secret.encode() + b"-" * ANSWER_KEPT_BYTES)[:ANSWER_KEPT_BYTES]
    struck = Secrets([secret]).strike_cut(answer)
    kept = min(len(secret), ANSWER_KEPT_BYTES - before)
    assert struck.count(b"[secret]") == (kept >= 4)
    assert secret[:4].encode() not in struck.replace(b"[secret]", b"")


def test_what_a_webhook_keeps_to_itself_is_struck_and_the_rest_is_left() -> None:
    subscription = replace(
        UNSAVED,
        url="https://example.com/hooks?sig=in-the-query",
        secret="whsec_of-the-owner",
        next_secret="whsec_of-the-rotation",
        headers={
            "a": "Bearer in-the-header",
            "b": "Basic " + base64.b64encode(b"user:the-password").decode(),
            "c": "1",
        },
    )
    said = (
        "POST /hooks 401: in-the-query, whsec_of-the-owner, whsec_of-the-rotation, in-the-header, user:the-password,"
        " the-password 1"
    )
    struck = without_secrets(Outcome(answer=said.encode()), secrets_of(subscription)).answer.decode()
    assert struck == f"POST /hooks 401: {', '.join(['[secret]'] * 5)}, [secret] 1"
