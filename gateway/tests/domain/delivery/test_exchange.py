"""What is kept of the wire for people: nothing secret of the request, and the answer's own headers."""

from signalpost.domain.delivery.exchange import Trace, exchange_of

REQUEST = (
    b"POST /hooks?token=t0p HTTP/1.1\r\nhost: api.acme.example\r\nx-acme-key: s3cret\r\n"
    b"Authorization: Bearer s3cret\r\nwebhook-id: 01a2\r\nplexus-webhook-signature: 9f2c\r\n\r\n"
)
ANSWER = b"HTTP/1.1 401 Unauthorized\r\nServer: nginx\r\nSet-Cookie: session=s3cret\r\nx-odd: \xff:\x01\r\nbad\r\n\r\n"


def test_only_what_the_gateway_sets_itself_has_a_value() -> None:
    kept = exchange_of(
        Trace(REQUEST, ANSWER, address="203.0.113.18", tls="TLSv1.3", name_us=4), "https://api.acme.example/h?token=t0p"
    )
    assert kept.url == "https://api.acme.example/h?token=***"
    assert dict(kept.request_headers) == {
        "host": "api.acme.example", "x-acme-key": "***", "Authorization": "***", "webhook-id": "01a2",
        "plexus-webhook-signature": "9f2c",
    }  # fmt: skip
    assert dict(kept.answer_headers) == {"Server": "nginx", "Set-Cookie": "***", "x-odd": "\xff:\x01"}
    assert (kept.address, kept.tls, kept.name_us, kept.connect_us) == ("203.0.113.18", "TLSv1.3", 4, None)
    assert "s3cret" not in str(kept)


def test_an_attempt_that_got_no_answer_has_no_headers_of_one() -> None:
    kept = exchange_of(Trace(REQUEST), "https://api.acme.example/")
    assert kept.answer_headers == ()
    assert kept.address is None
