"""A gateway with something to look at, and a browser's side of its console."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from gateway.tests.api.conftest import Answer, World, listening, make_world

__all__ = ["listening", "make_world"]
HOSTILE = "<script>alert(1)</script><b>'\"&"
TABS = ("/deliveries", "/settings", "/settings/edit", "/secret", "/shadow", "/history", "/delete", "/test-run")
"""The pages of a subscription beside its overview."""
HTML = "text/html; charset=utf-8"


class Browser:
    """Sends what a browser sends, and keeps the session's cookie."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cookie: str | None = None

    def get(self, path: str, **headers: str | None) -> Answer:
        return self._keep(self.world.send("GET", path, None, self._headers(headers)))

    def post(self, path: str, form: Mapping[str, Any], **headers: str | None) -> Answer:
        given = {
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = urlencode(form, doseq=True).encode()
        return self._keep(self.world.send("POST", path, body, self._headers(given)))

    def open(self, path: str) -> str:
        """The HTML of a page that must be there."""
        answer = self.get(path)
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == HTML
        return answer.body.decode()

    def sign_in(self, key: str) -> "Browser":
        answer = self.post("/console/sign-in", {"key": key})
        assert answer.status == 303, answer.body
        assert self.cookie
        return self

    def _headers(self, given: Mapping[str, str | None]) -> dict[str, str | None]:
        headers: dict[str, str | None] = {name.replace("_", "-"): value for name, value in given.items()}
        headers["authorization"] = None
        if self.cookie is not None:
            headers.setdefault("cookie", f"__Host-signalpost={self.cookie}")
        return headers

    def _keep(self, answer: Answer) -> Answer:
        line = answer.headers.get("set-cookie")
        if line is not None:
            name, _, rest = line.partition("=")
            assert name == "__Host-signalpost"
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(rest.split("; "))
            self.cookie = rest.split(";")[0] or None
        return answer


class Shop:
    """A gateway with a document, its event and two subscriptions, all with hostile names."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.subscription = world.create_subscription(name=HOSTILE)["id"]
        self.document = world.create_document(title=HOSTILE)["externalId"]
        self.event = world.events()[-1]["event"]["id"]
        self.keys = {
            role: world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"]
            for role in ("operator", "app", "subscriber", "viewer")
        }

    def browser(self, role: str = "operator") -> Browser:
        return Browser(self.world).sign_in(self.keys[role])

    @property
    def pages(self) -> tuple[str, ...]:
        """Every page that there is for what the shop has."""
        return (
            "",
            "/deliveries",
            "/deliveries?status=failed&from=2026-11-26T01:02",
            f"/subscriptions/{self.subscription}/deliveries/{self.event}",
            "/subscriptions",
            "/subscriptions/new",
            "/subscriptions/new/poll",
            f"/subscriptions/{self.subscription}",
            *(f"/subscriptions/{self.subscription}{tab}" for tab in TABS),
            "/events",
            f"/events/{self.event}",
            "/documents",
            f"/documents/{self.document}",
            "/replays",
            "/portal-links",
            "/keys",
            "/audit",
            "/tenants",
            "/tenants/default",
            "/gateway",
            f"/find?q={self.event}",
            "/find?q=%3Cscript%3E",
        )


@pytest.fixture(scope="module")
def shop(make_world: Any) -> Shop:
    return Shop(make_world())
