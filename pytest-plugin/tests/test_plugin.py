"""The plugin, as tests of an application use it: a test session of their own, with fixtures and rules."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from signalpost_receiver import Receiver, ReceiverError

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
SECRET = "a secret of mine"


class Handler(BaseHTTPRequestHandler):
    """Receivers that take what they should not: `/timeless` what was signed long ago, `/unsigned` what was not."""

    receiver = Receiver(secrets=SECRET, max_age=None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        trusted = (
            self.path == "/unsigned" and not any("signature" in name for name in self.headers) and body[:1] == b"{"
        )
        try:
            if not (trusted and body[-1:] == b"}"):
                self.receiver.verify(body, self.headers.items())
            self.send_response(204)
        except ReceiverError as error:
            self.send_response(error.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No one reads it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # the exam sends some at once

    def handle_error(self, *_: object) -> None:
        """An exam that has seen enough hangs up."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_application_is_tested_with_a_gateway_and_by_the_rules_of_receivers(
    pytester: pytest.Pytester, url: str
) -> None:
    pytester.makepyfile(
        test_gateway=f"""
        import pytest
        from pytest_signalpost import Refused

        def test_an_event_is_delivered(signalpost_gateway):
            made = signalpost_gateway.subscribe("{url}/timeless", secret="{SECRET}")
            event = signalpost_gateway.trigger("documentUpdated", status="executed", contractValue=1500.0)
            [delivery] = signalpost_gateway.expect(event_id=event.event_id, count=1, within_seconds=60)
            assert delivery["subscriptionId"] == made["id"]
            signalpost_gateway.settle(within_seconds=60)
            document = signalpost_gateway.call("GET", f"/v1/documents/{{event.external_id}}")
            assert (document["status"], document["contractValue"]) == ("executed", 1500.0)

        def test_nothing_is_left_of_the_test_before(signalpost_gateway):
            assert signalpost_gateway.call("GET", "/v1/subscriptions")["data"] == []
            with pytest.raises(AssertionError, match="Expected at least one delivered"):
                signalpost_gateway.expect(within_seconds=0)
            with pytest.raises(Refused, match="/titel: There is no such field"):
                signalpost_gateway.trigger(titel="x")
        """,
        test_rules=f"""
        import pytest
        from pytest_signalpost.exam import ReceiverExam, ReceiverUnderTest

        @pytest.fixture(scope="module")
        def signalpost_receiver():
            return ReceiverUnderTest("{url}/unsigned", secret="{SECRET}", attempt_timeout=60)

        class TestReceiver(ReceiverExam):
            pass
        """,
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rfx", "-W", "error")
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["xfailed"], outcomes["skipped"]) == (1, 1, 3)
    said = result.stdout.str()
    assert "A request without a signature was answered 204; 4xx is right." in said
    assert "A request that was signed in 2017 was answered 204; 4xx is right." in said


def test_a_session_that_does_not_use_it_loads_nothing_of_the_gateway() -> None:
    program = "import sys, pytest_signalpost.plugin; print([n for n in sys.modules if n.split('.')[0] == 'signalpost'])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
