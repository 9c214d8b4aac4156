"""The commands for people who receive events, as they run them: one emulator for all."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import SIGNALPOST, Run, environment, json_of
from gateway.tests.local.flawed_receivers import FlawedServer
from gateway.tests.local.recording_receiver import RecordingReceiver, verifying
from gateway.tests.patience import PATIENCE

from signalpost.cli.client import Misuse
from signalpost.cli.commands.listen.command import read_troubles, read_url
from signalpost.cli.terminal.given_secret import the_secret, the_secrets
from signalpost.local.chaos import ChaosFault
from signalpost_receiver import Receiver, Signer
from signalpost_receiver.sign import PAGE_SIGNATURE, TEST

pytestmark = pytest.mark.slow
SECRET = "a secret of mine"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The variables with which commands find the folders of a person who has no gateway."""
    folder = tmp_path_factory.mktemp("home")
    return {"XDG_STATE_HOME": str(folder / "state"), "SIGNALPOST_DATA_DIR": str(folder / "none")}


@pytest.fixture(scope="module")
def emulator(home: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The address and the key of an emulator, as its first line says them."""
    process = subprocess.Popen(
        [SIGNALPOST, "emulator", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True, env=environment(**home)
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert not list((Path(home["XDG_STATE_HOME"]) / "signalpost" / "emulator").iterdir()), "nobody finds it any more"


@pytest.fixture
def run(home: dict[str, Any], emulator: dict[str, str]) -> Run:
    assert emulator
    return partial(command.run, **home)


@pytest.fixture
def receiver() -> Iterator[RecordingReceiver]:
    made = RecordingReceiver(verifying(SECRET))
    yield made
    made.close()


def ask(emulator: dict[str, str], call: str, body: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
    """A call of the emulator's own, as a test in any language makes it."""
    request = urllib.request.Request(
        f"{emulator['url']}/emulator/{call}",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {key or emulator['key']}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


# --- sign and verify --------------------------------------------------------------------------------------------------


def test_what_is_signed_verifies_and_what_was_changed_does_not() -> None:
    body = '{"id": "0198f2a0-0000-7000-8000-000000000001", "value": 0.0}\n'
    signed = command.run("sign", stdin=body, SIGNALPOST_SECRET=SECRET)
    lines = [line for line in signed.stdout.splitlines() if not line.startswith("content-type")]
    assert "webhook-id: 0198f2a0-0000-7000-8000-000000000001" in lines
    headers = [part for line in lines for part in ("--header", line)]
    fits = json_of(command.run("verify", *headers, "--json", stdin=body, SIGNALPOST_SECRET=SECRET))
    assert fits["genuine"]
    assert [each["fits"] for each in fits["signatures"]] == [True, True]

    refused = command.run("verify", *headers, "--secret", SECRET, stdin=body.strip(), code=1)
    assert "does not fit" in refused.stdout
    assert "in other bytes" in refused.stdout
    page = Signer(SECRET).page_signature(body.encode())
    assert "It fits" in command.run("verify", "--signature", page, "--secret", SECRET, stdin=body).stdout


def test_a_secret_comes_from_an_option_or_a_variable_and_is_one() -> None:
    assert the_secret("an option", {"SIGNALPOST_SECRET": "a variable"}) == "an option"
    assert the_secrets(None, {"SIGNALPOST_SECRET": "a variable"}) == ["a variable"]
    with pytest.raises(Misuse, match="set SIGNALPOST_SECRET"):
        the_secret(None, {})
    with pytest.raises(Misuse, match="must not be empty"):
        the_secret("", {})


# --- emulator and trigger ---------------------------------------------------------------------------------------------


def test_an_integration_test_in_any_language_makes_events_and_asserts_what_was_delivered(
    run: Run, emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    json_of(run("subscriptions", "create", receiver.url, "--secret", SECRET, "--json"))
    status, made = ask(emulator, "events", {"eventType": "documentUpdated", "set": {"status": "executed"}})
    assert status == 200
    status, found = ask(emulator, "expect", {"eventId": made["eventId"], "count": 1, "withinSeconds": 60})
    assert (status, [each["status"] for each in found["deliveries"]]) == (200, ["delivered"])
    assert ask(emulator, "settle", {"withinSeconds": 60}) == (200, {"settled": True})
    assert [json.loads(each.body)["type"] for each in receiver.received] == ["documentCreated", "documentUpdated"]

    receiver.answer = lambda _received: 500
    ask(emulator, "events", {"eventType": "documentCreated"})
    status, why = ask(emulator, "expect", {"eventType": "documentCreated", "count": 2, "withinSeconds": 0})
    assert (status, why["code"]) == (409, "expectation_not_met")
    assert "Expected 2 delivered" in why["detail"]
    status, found = ask(emulator, "expect", {"status": "failed", "withinSeconds": 60})
    assert (status, len(found["deliveries"])) == (200, 1)

    assert ask(emulator, "reset", {}) == (200, {"reset": True})
    assert ask(emulator, "expect", {"count": 0, "withinSeconds": 60}) == (200, {"deliveries": []})
    assert json_of(run("subscriptions", "list", "--json")) == []


@pytest.mark.parametrize(
    ("call", "body", "status", "code"),
    [
        ("events", {"eventType": "documentSigned"}, 422, "invalid_fields"),
        ("events", {"eventType": "documentCreated", "set": {"titel": "x"}}, 422, "invalid_fields"),
        ("events", {"eventType": "documentCreated", "set": []}, 422, "invalid_fields"),
        ("expect", {"status": "lost"}, 422, "invalid_fields"),
        ("settled", {}, 404, "route_not_found"),
    ],
)
def test_the_emulator_refuses_what_it_does_not_understand(
    emulator: dict[str, str], call: str, body: dict[str, Any], status: int, code: str
) -> None:
    answered, problem = ask(emulator, call, body)
    assert (answered, problem["code"]) == (status, code)


def test_the_emulator_answers_nobody_without_its_key(emulator: dict[str, str]) -> None:
    assert ask(emulator, "reset", {}, key="sp_wrong")[0] == 401


def test_an_event_is_triggered_through_a_gateway_or_straight_to_a_url(run: Run, receiver: RecordingReceiver) -> None:
    made = json_of(run("trigger", "documentDeleted", "--set", "title=Mine", "--json"))
    event = json_of(run("events", "get", made["eventId"], "--json"))["event"]
    assert (event["type"], event["data"]["document"]["title"]) == ("documentDeleted", "Mine")

    straight = ("trigger", "documentUpdated", "--to", receiver.url, "--set", "additionalFacts.currency=EUR")
    sent = json_of(run(*straight, "--json", SIGNALPOST_SECRET=SECRET))
    [received] = receiver.received
    document = Receiver(secrets=SECRET).verify(received.body, received.headers).document
    assert document is not None
    assert (sent["statusCode"], TEST in received.headers) == (204, False)
    assert "answered 401" in run(*straight, "--secret", "another secret", code=1).stderr


def test_trigger_says_what_is_wrong_before_anything_is_made(run: Run) -> None:
    refused = run("trigger", "documentUpdated", "--set", "titel=x", code=2)
    assert "--set titel: There is no such field here" in refused.stderr
    abroad = run("trigger", "documentCreated", "--to", "https://192.0.2.1/", "--secret", SECRET, code=1)
    assert "not on this machine" in abroad.stderr


# --- listen -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening(home: dict[str, Any], *arguments: str) -> Iterator[Callable[[], Any]]:
    process = subprocess.Popen(
        [SIGNALPOST, "listen", "--format", "json", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(**home),
    )  # fmt: skip
    assert process.stdout is not None
    stdout = process.stdout
    try:
        yield lambda: json.loads(stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        stdout.close()


def test_listen_forwards_every_event_byte_for_byte_signed_with_a_secret_that_stays(
    run: Run, home: dict[str, Any], emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    """C13, C19, C20"""
    ask(emulator, "reset", {})
    secret = run("listen", "--print-secret").stdout.strip()
    kept = Path(home["XDG_STATE_HOME"]) / "signalpost" / "listen-secret"
    assert (kept.read_text().strip(), oct(kept.stat().st_mode & 0o777)) == (secret, "0o600")
    receiver.answer = lambda received: 500 if b"documentCreated" in received.body else 204
    run("trigger", "documentUpdated", "--set", "contractValue=0.0")
    with listening(home, "--forward-to", str(receiver.port), "--after", "0") as next_line:
        lines = [next_line(), next_line()]
        run("trigger", "documentCreated")
        lines.append(next_line())
    assert [line["statusCode"] for line in lines] == [500, 204, 500], "a failure ends nothing"
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    for line, received in zip(lines, receiver.received, strict=True):
        event = Receiver(secrets=secret).verify(received.body, received.headers)
        assert (event.id, received.headers["signalpost-sequence"]) == (line["eventId"], str(line["sequence"]))
    assert b'"contractValue":0.0' in receiver.received[1].body


def test_listen_goes_on_from_the_first_event_after_the_emulator_was_reset(
    home: dict[str, Any], emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    ask(emulator, "reset", {})
    with listening(home, "--forward-to", str(receiver.port), "--after", "0") as next_line:
        ask(emulator, "events", {"eventType": "documentUpdated"})
        assert [next_line()["sequence"] for _ in range(2)] == [1, 2]
        receiver.answer = lambda _received: renew()

        def renew() -> int:
            """While `listen` waits for this answer: the new log is longer than what it has read by then."""
            receiver.answer = lambda _received: 204
            ask(emulator, "reset", {})
            for _ in range(2):
                ask(emulator, "events", {"eventType": "documentUpdated"})
            return 204

        ask(emulator, "events", {"eventType": "documentCreated"})
        assert [next_line()["sequence"] for _ in range(5)] == [3, 1, 2, 3, 4]


def test_listen_starts_an_emulator_where_no_gateway_runs(tmp_path: Path, receiver: RecordingReceiver) -> None:
    alone: dict[str, Any] = {"XDG_STATE_HOME": str(tmp_path / "state"), "SIGNALPOST_DATA_DIR": str(tmp_path / "none")}
    with listening(alone, "--forward-to", receiver.url, "--event-type", "documentDeleted") as next_line:
        until((tmp_path / "state" / "signalpost" / "emulator" / "address").exists)
        command.run("trigger", "documentDeleted", "--json", **alone)
        # It follows from the moment when it is ready, so an event may have come too early.
        until(lambda: receiver.received or command.run("trigger", "documentDeleted", **alone) is None)
        assert next_line()["eventType"] == "documentDeleted"


def test_chaos_sends_forged_and_repeated_requests_which_a_good_receiver_stands(
    run: Run, home: dict[str, Any], emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    ask(emulator, "reset", {})
    for _ in range(8):
        ask(emulator, "events", {"eventType": "documentUpdated"})
    trouble = ("--chaos", "dup,reorder,rotate,badsig", "--secret", SECRET)
    with listening(home, "--forward-to", receiver.url, "--after", "0", *trouble) as next_line:
        seen, notes = set[int](), set[str]()
        while len(seen) < 16:
            line = next_line()
            assert line["asExpected"], line
            seen.add(line["sequence"])
            notes.add(line["note"])
    assert notes & {"rotation, old secret", "rotation, new secret"}


def test_keys_at_a_terminal_show_details_and_send_again(
    home: dict[str, Any], emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    ask(emulator, "reset", {})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SIGNALPOST, "listen", "--forward-to", receiver.url, "--secret", SECRET, "--after", "0"],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**home),
    )  # fmt: skip
    os.close(theirs)
    patience = threading.Timer(PATIENCE, process.kill)
    patience.start()
    shown = b""

    def read_until(text: str) -> None:
        nonlocal shown
        while text.encode() not in shown:
            shown += os.read(ours, 65536)
        shown = shown.partition(text.encode())[2]

    try:
        read_until("Keys: r resend")
        ask(emulator, "events", {"eventType": "documentCreated", "set": {"title": "Mine"}})
        read_until("<-- ")
        os.write(ours, b"d")
        read_until("> plexus-webhook-signature: ")
        read_until('"title": "Mine"')
        os.write(ours, b"r")
        read_until("resent by hand")
        read_until("<-- ")
        os.write(ours, b"q")
        read_until("Continue with --after 1")
        assert process.wait(PATIENCE) == 0
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        os.close(ours)
    first, again = receiver.received
    assert first.body == again.body


def test_listen_takes_short_forms_of_a_url_and_names_of_trouble() -> None:
    assert read_url("9000") == "http://127.0.0.1:9000/"
    assert read_url("localhost:9000/hooks") == "http://localhost:9000/hooks"
    assert read_troubles("dup, badsig") == [ChaosFault.DUPLICATE, ChaosFault.FORGE]
    assert read_troubles("all") == list(ChaosFault)
    with pytest.raises(Misuse, match="--chaos takes"):
        read_troubles("fire")


def test_listen_refuses_what_it_should_not_call(run: Run) -> None:
    assert "not on this machine" in run("listen", "--forward-to", "https://192.0.2.1/", code=1).stderr


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_passes_or_fails_with_an_exit_code_for_ci() -> None:
    server = FlawedServer()
    try:
        inspect = ("--inspect", f"{server.url}/Correct/{{externalId}}")
        passed = json_of(command.run("doctor", f"{server.url}/Correct", "--secret", SECRET, *inspect, "--json"))
        assert passed["passed"]
        assert {finding["verdict"] for finding in passed["findings"]} == {"kept"}

        failed = command.run("doctor", f"{server.url}/TakesUnsigned", "--secret", SECRET, code=1)
        assert "✘ unsigned " in failed.stdout
        assert "A request without a signature was answered 204; 4xx is right." in failed.stdout
        assert "breaks 1 of " in failed.stderr

        strict = command.run("doctor", f"{server.url}/Timeless", "--secret", SECRET, "--strict", code=1)
        assert "! stale " in strict.stdout
    finally:
        server.close()


def test_what_a_gateway_sends_and_what_is_triggered_straight_have_the_same_headers(
    run: Run, emulator: dict[str, str], receiver: RecordingReceiver
) -> None:
    """C18"""
    ask(emulator, "reset", {})
    run("subscriptions", "create", receiver.url, "--secret", SECRET)
    ask(emulator, "events", {"eventType": "documentCreated"})
    ask(emulator, "settle", {"withinSeconds": 60})
    run("trigger", "documentCreated", "--to", receiver.url, "--secret", SECRET)
    by_gateway, by_hand = receiver.received
    assert list(by_gateway.headers) == list(by_hand.headers)
    assert by_hand.headers[PAGE_SIGNATURE] == Signer(SECRET).page_signature(by_hand.body)
