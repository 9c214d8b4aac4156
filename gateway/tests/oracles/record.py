"""Records what the vendors' own clients send, for requests like those that the kinds of destinations make.

`make oracles` runs it in an environment of its own, `.venv-oracles`; it imports nothing of the gateway. Every client is
given a transport that writes the request down and answers with what the vendor would. The result is in `recorded.json`,
which the tests hold the kinds against.

    python gateway/tests/oracles/record.py           write recorded.json anew
    python gateway/tests/oracles/record.py --check   compare it with what the clients send now
"""

import argparse
import base64
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httplib2
import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from requests.adapters import BaseAdapter
from simple_salesforce import Salesforce
from simple_salesforce.login import SalesforceLogin
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient
from xero_python.accounting import AccountingApi, Contact, Invoice, Invoices, LineAmountTypes, LineItem
from xero_python.api_client import ApiClient
from xero_python.api_client.configuration import Configuration
from xero_python.api_client.oauth2 import OAuth2Token

RECORDED = Path(__file__).with_name("recorded.json")
ASSERTION_KEY = Path(__file__).with_name("assertion_key.pem")
"""A key that signs nothing but what is recorded, so that it gives the same assertion each time."""
KEPT_HEADERS = ("authorization", "content-type", "idempotency-key", "xero-tenant-id")
"""The headers that matter to a vendor. Others name the client, or are about compression."""
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Recorder:
    """Writes requests down."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def note(self, method: str, url: str, headers: Mapping[str, Any], body: Any) -> None:
        """Keep a request, with its body as what it means and an assertion as what it claims."""
        lowered = {str(name).lower(): _text(value) for name, value in headers.items()}
        target = urlsplit(url)
        content = _text(body or "")
        is_form = lowered.get("content-type", "").startswith("application/x-www-form-urlencoded")
        self.requests.append(
            {
                "method": method,
                "origin": f"{target.scheme}://{target.netloc}",
                "path": target.path,
                "query": dict(parse_qsl(target.query)),
                "headers": {name: lowered[name] for name in KEPT_HEADERS if name in lowered},
                "body": _form(content) if is_form else json.loads(content) if content else None,
            }
        )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _form(content: str) -> dict[str, Any]:
    form: dict[str, Any] = dict(parse_qsl(content))
    if "assertion" in form:
        claims = form["assertion"].split(".")[1]
        form["assertion"] = json.loads(base64.urlsafe_b64decode(claims + "=="))
        for moment in ("iat", "exp"):
            form["assertion"].pop(moment, None)
    return form


# --- A transport for each client --------------------------------------------------------------------------------------


class Adapter(BaseAdapter):
    """For clients that are made of `requests`."""

    def __init__(self, recorder: Recorder, answers: Iterator[tuple[int, Any]]) -> None:
        super().__init__()
        self._recorder = recorder
        self._answers = answers

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self._recorder.note(request.method or "", request.url or "", request.headers, request.body)
        status, body = next(self._answers)
        response = requests.Response()
        response.status_code, response._content = status, json.dumps(body).encode()
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Nothing is open."""


def session(recorder: Recorder, *answers: tuple[int, Any]) -> requests.Session:
    made = requests.Session()
    made.mount("https://", Adapter(recorder, iter(answers)))
    return made


class Http:
    """For Google's client."""

    def __init__(self, recorder: Recorder, *answers: tuple[int, Any]) -> None:
        self._recorder = recorder
        self._answers = iter(answers)

    def request(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        self._recorder.note(method, uri, headers or {}, body)
        status, answer = next(self._answers)
        content = b"" if answer is None else json.dumps(answer).encode()
        return httplib2.Response({"status": str(status), "content-type": "application/json"}), content

    def close(self) -> None:
        """Nothing is open."""


class Pool:
    """For Xero's client, which is made of urllib3."""

    class Answer:
        headers: dict[str, str] = {"content-type": "application/json"}
        reason = ""

        def __init__(self, status: int, body: Any) -> None:
            self.status = status
            self.data = json.dumps(body).encode()

        def getheaders(self) -> dict[str, str]:
            return self.headers

    def __init__(self, recorder: Recorder, *answers: tuple[int, Any]) -> None:
        self._recorder = recorder
        self._answers = iter(answers)

    def request(
        self, method: str, url: str, fields: Any = None, body: Any = None, headers: Any = None, **said: Any
    ) -> Any:
        if method == "GET" and fields:
            url += "?" + "&".join(f"{name}={value}" for name, value in fields)
        if body is None and fields and method == "POST":
            body = "&".join(f"{name}={value}" for name, value in dict(fields).items())
        self._recorder.note(method, url, headers or {}, body)
        return self.Answer(*next(self._answers))


def served(recorder: Recorder, origin: str, answer: bytes, ask: Callable[[str], Any]) -> None:
    """For Slack's client, which is made of urllib: a server on loopback in the place of the origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            recorder.note("POST", origin + self.path, dict(self.headers), body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        ask(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


# --- What is asked of each --------------------------------------------------------------------------------------------


def slack(recorder: Recorder) -> None:
    """A message by a webhook, one by a bot, one in a thread, and whose the token is."""
    said = json.dumps({"ok": True, "ts": "17.1"}).encode()
    path = "/services/T0/B0/secret"
    served(recorder, "https://hooks.slack.com", b"ok", lambda at: WebhookClient(at + path).send(text="Signed."))

    def with_client(ask: Callable[[WebClient], Any]) -> None:
        served(recorder, "https://slack.com", said, lambda at: ask(WebClient("xoxb-1", base_url=f"{at}/api/")))

    message = {"channel": "#contracts", "text": "Signed."}
    with_client(lambda client: client.chat_postMessage(**message))
    with_client(lambda client: client.chat_postMessage(**message, thread_ts="17.1"))
    with_client(lambda client: client.auth_test())


def salesforce(recorder: Recorder) -> None:
    """Tokens in both ways, a lead by its id, and one by an external id."""
    token = (200, {"access_token": "t", "instance_url": "https://example.my.salesforce.com"})
    domain = "example.my"
    SalesforceLogin(consumer_key="id", consumer_secret="s3", domain=domain, session=session(recorder, token))
    SalesforceLogin(username="u@example.com", consumer_key="id", privatekey=PEM, session=session(recorder, token))
    client = Salesforce(
        instance_url="https://example.my.salesforce.com",
        session_id="t",
        version="66.0",
        session=session(recorder, (204, None), (201, {"id": "1"})),
    )
    client.Lead.update("00Q5g", {"Status": "Working"})
    client.Lead.upsert("Number__c/00Q5g", {"Status": "Working"})


def google_calendar(recorder: Recorder) -> None:
    """A token for a service account; an entry that is changed, not found, inserted, and deleted."""
    account = service_account.Credentials.from_service_account_info(
        {"client_email": "bot@example.com", "private_key": PEM, "token_uri": "https://oauth2.googleapis.com/token"},
        scopes=["https://www.googleapis.com/auth/calendar.events"],
    )

    def refresh(url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        recorder.note(method, url, headers or {}, body)

        given = b'{"access_token": "t", "expires_in": 3600}'
        return SimpleNamespace(status=200, headers={}, data=given)

    account.refresh(refresh)
    http = Http(recorder, (404, {"error": {"code": 404}}), (200, {"id": "1"}), (204, None))
    events = build("calendar", "v3", http=http, static_discovery=True).events()
    entry = {
        "summary": "It ends",
        "description": "",
        "start": {"date": "2026-12-31", "dateTime": None, "timeZone": None},
        "end": {"date": "2027-01-01", "dateTime": None, "timeZone": None},
        "status": "confirmed",
    }
    place = {"calendarId": "team@example.com", "eventId": "sp" + "fedcba9876543210" * 2}
    try:
        events.patch(**place, body=entry).execute()
    except HttpError:
        days = {"start": {"date": "2026-12-31"}, "end": {"date": "2027-01-01"}}
        events.insert(calendarId=place["calendarId"], body={**entry, **days, "id": place["eventId"]}).execute()
    events.delete(**place).execute()


def xero_bill(recorder: Recorder) -> None:
    """A token for a custom connection, a look for a number, and a draft bill."""
    token = OAuth2Token(client_id="id", client_secret="s3")
    client = ApiClient(Configuration(oauth2_token=token), pool_threads=1)
    kept: dict[str, Any] = {
        "access_token": "t",
        "expires_in": 1800,
        "token_type": "Bearer",
        "scope": ["accounting.invoices"],
    }
    client.oauth2_token_getter(lambda: kept)
    client.oauth2_token_saver(kept.update)
    client.rest_client.pool_manager = Pool(recorder, (200, kept))
    client.get_client_credentials_token()
    client.set_oauth2_token({**kept, "expires_at": 4_000_000_000})
    client.rest_client.pool_manager = Pool(recorder, (200, {"Invoices": []}), (200, {"Invoices": []}))
    api, tenant = AccountingApi(client), "t1"
    api.get_invoices(tenant, invoice_numbers=["N 1"])
    bill = Invoice(
        type="ACCPAY",
        status="DRAFT",
        contact=Contact(name="Smith & Sons"),
        invoice_number="N 1",
        line_amount_types=LineAmountTypes.EXCLUSIVE,
        due_date=date(2026, 2, 14),
        line_items=[LineItem(description="Supply", quantity=1.0, unit_amount=12000.5, account_code="400")],
    )
    api.create_invoices(tenant, Invoices(invoices=[bill]), idempotency_key="0123456789abcdef" * 2)


def recorded() -> dict[str, Any]:
    """What every client sends, and how it signs."""
    found: dict[str, Any] = {"assertion": assertion()}
    for ask in (slack, salesforce, google_calendar, xero_bill):
        recorder = Recorder()
        ask(recorder)
        found[ask.__name__] = recorder.requests
    return found


def assertion() -> dict[str, Any]:
    """What PyJWT, which the clients sign with, makes of claims."""
    claims = {
        "iss": "id",
        "scope": "a b",
        "aud": "https://login.example.com",
        "sub": "u@example.com",
        "iat": 1_000,
        "exp": 1_180,
    }
    key = ASSERTION_KEY.read_text(encoding="ascii")
    return {"claims": claims, "token": jwt.encode(claims, key, algorithm="RS256", sort_headers=True)}


def main() -> int:
    """Write the recording, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    now = json.dumps(recorded(), indent=2, ensure_ascii=False) + "\n"
    if not parser.parse_args().check:
        RECORDED.write_text(now, encoding="utf-8")
    elif now != RECORDED.read_text(encoding="utf-8"):
        sys.exit("The vendors' clients send something else now: run record.py and look at what changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
