"""One attempt: how long it has, what counts as a success, and what a person is told about every kind of failure."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import HELD, OK, RESET, Answer, Endpoint, Receiver, always

Endpoints = Callable[..., Endpoint]


def outcome(api: Client, url: str) -> Any:
    """The first attempt at this URL, as the API tells it."""
    subscription = api.subscribe(url)
    (event,) = api.events_of(api.create())
    attempts = until(lambda: api.delivery(subscription, event["id"])["attempts"])
    # It is retried: one look at one attempt is enough.
    api.unsubscribe(subscription)
    return attempts[0]


# --- C15: the time an attempt has, and what a success is --------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (HELD, "No answer came within 6 s."),
        (Answer(200, after=30), "No answer came within 6 s."),
        (Answer(200, body=b"." * 600, every=0.05), "The answer was not complete within 6 s."),
    ],
    ids=["no answer", "a late answer", "a dripping body"],
)
def test_an_attempt_ends_when_its_time_is_over(
    impatient_api: Client, endpoint: Endpoints, answer: Answer, detail: str
) -> None:
    """C15: the whole answer has to arrive in that time, its body included. How exactly it is kept, the sender's tests
    say."""
    attempt = outcome(impatient_api, endpoint(answer).url)
    assert (attempt["error"], attempt["detail"]) == ("timeout", detail)
    assert attempt["durationMs"] >= 6000


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, after=0.4),
        Answer(200, body=b"." * 8, every=0.05),
        Answer(201),
        Answer(202, body=b""),
        Answer(204, body=b""),
        Answer(299),
    ],
    ids=["200, slowly", "200, dripping", "201", "202 without a body", "204", "299"],
)
def test_any_2xx_that_arrives_whole_and_in_time_is_a_success(api: Client, endpoint: Endpoints, answer: Answer) -> None:
    """C15."""
    attempt = outcome(api, endpoint(answer).url)
    assert (attempt["error"], attempt["statusCode"], attempt["counted"]) == (None, answer.status, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(api: Client, endpoint: Endpoints, status: int) -> None:
    """C15."""
    elsewhere = endpoint()
    attempt = outcome(api, endpoint(Answer(status, (("location", elsewhere.url),))).url)
    assert (attempt["error"], attempt["statusCode"]) == ("redirect", status)
    time.sleep(0.1)
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 410, 500, 502])
def test_any_other_status_is_a_failure_with_that_status(api: Client, endpoint: Endpoints, status: int) -> None:
    """C15; 410 is no unsubscription."""
    attempt = outcome(api, endpoint(Answer(status, body=b"because")).url)
    assert (attempt["error"], attempt["statusCode"], attempt["answer"]) == ("status", status, "because")


def test_the_first_kibibyte_of_an_answer_is_kept(api: Client, endpoint: Endpoints) -> None:
    attempt = outcome(api, endpoint(Answer(500, body=b"a" * 1024 + b"b" * 2000)).url)
    assert attempt["answer"] == "a" * 1024


def test_a_reset_connection_is_told_as_such(api: Client, endpoint: Endpoints) -> None:
    attempt = outcome(api, endpoint(RESET).url)
    assert (attempt["error"], attempt["statusCode"]) == ("reset", None)


# --- What keeps a connection from being made --------------------------------------------------------------------------


def test_a_refused_connection_is_told_as_such(gateways: Callable[..., GatewayProcess]) -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        origin = f"https://localhost:{bound.getsockname()[1]}"
        attempt = outcome(gateways(allow=origin).api, origin)
    assert (attempt["error"], attempt["detail"]) == ("connect", "The endpoint refused the connection.")


def test_a_name_that_does_not_exist_is_told_as_such(api: Client) -> None:
    attempt = outcome(api, "https://nope.invalid/hook")
    assert attempt["error"] in ("dns", "timeout"), attempt  # a resolver without a network may take its time
    if attempt["error"] == "timeout":
        assert attempt["detail"].startswith("The host name was not resolved")


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:1",
        "https://127.0.0.1:{port}",
        "https://[::1]:{port}",
        "https://2130706433:{port}",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "http://localhost:{port}",
        "http://example.com",
    ],
)
def test_a_target_inside_is_refused_when_it_is_subscribed(api: Client, receiver: Receiver, url: str) -> None:
    """Only the very entry of --allow-targets opens a door: its scheme, its host, its port."""
    wanted = {"url": url.format(port=receiver.port), "eventTypes": ["documentCreated"]}
    reply = api.request("POST", "/v1/subscriptions", wanted)
    assert reply.status == 422
    assert [(e["pointer"], e["code"]) for e in reply.json()["errors"]] == [("/url", "address_refused")]


def test_a_public_name_with_an_address_inside_is_refused_when_it_is_dialled(api: Client, receiver: Receiver) -> None:
    """Here the machine's own name; anywhere a name server of the subscriber's. Nothing is connected to."""
    name = socket.gethostname().lower()
    try:
        found = socket.getaddrinfo(name, receiver.port, socket.AF_INET)
    except OSError:
        pytest.skip("this machine's own name has no address")
    if name == "localhost" or not any(str(entry[4][0]).startswith(("127.", "10.", "192.168.")) for entry in found):
        pytest.skip("this machine's own name has no address inside")
    before = receiver.connections
    attempt = outcome(api, f"https://{name}:{receiver.port}/hooks/1")
    assert attempt["error"] == "address_refused"
    assert "127." not in attempt["detail"], "it tells of addresses inside"
    assert receiver.connections == before


# --- TLS --------------------------------------------------------------------------------------------------------------

Serving = Callable[[trustme.LeafCert], ssl.SSLContext]


@pytest.fixture
def answering() -> Iterator[Callable[[ssl.SSLContext], str]]:
    """Makes receivers with a TLS context of their own: `answering(context)` is an URL."""
    made: list[Receiver] = []

    def make(context: ssl.SSLContext) -> str:
        made.append(Receiver(context))
        return made[-1].endpoint(always(OK)).url

    yield make
    for receiver in made:
        receiver.stop()
    assert [receiver.served for receiver in made] == [0] * len(made), (
        "a request reached an endpoint that is not trusted"
    )


def test_a_certificate_that_cannot_be_trusted_is_told_as_what_it_is(
    gateways: Callable[..., GatewayProcess],
    answering: Callable[[ssl.SSLContext], str],
    authority: trustme.CA,
    serving: Serving,
) -> None:
    """Each fault has its class, and no event is sent over such a connection."""
    long_ago = datetime.now(UTC) - timedelta(days=2)
    urls = {
        "tls_untrusted": answering(serving(trustme.CA().issue_cert("localhost"))),
        "tls_hostname": answering(serving(authority.issue_cert("other.example.com"))),
        "tls_expired": answering(serving(authority.issue_cert("localhost", not_after=long_ago))),
    }
    allow = ",".join(url.rpartition("/hooks")[0] for url in urls.values())
    api = gateways(allow=allow).api
    told = {expected: outcome(api, url) for expected, url in urls.items()}
    assert {expected: attempt["error"] for expected, attempt in told.items()} == {name: name for name in urls}
    assert {attempt["statusCode"] for attempt in told.values()} == {None}
    assert told["tls_expired"]["detail"] == "The certificate expired."


def test_an_authority_is_trusted_only_where_it_was_given(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints, tmp_path: Any
) -> None:
    """--ca-file with another authority: the receiver of all these tests is not trusted."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    hook = endpoint()
    assert outcome(gateways(trust=other).api, hook.url)["error"] == "tls_untrusted"
    assert hook.requests == []


# --- What is sent over and over ---------------------------------------------------------------------------------------


def test_connections_are_kept_and_used_again(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    subscription = api.subscribe(hook.url)
    for number in range(20):
        (event,) = api.events_of(api.create(title=f"one of many, {number}"))
        api.until_delivery(subscription, event["id"], "delivered")
    # At most once a connection is too old in between.
    assert len({request.connection for request in hook.requests}) <= 2
