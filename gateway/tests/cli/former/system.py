"""A fake of another system's API: it answers what was saved, to those who have the key."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.tests.http_server import QuietHandler, serving

KEY = "canary that opens the other system"


def saved(name: str, **instead: str) -> dict[str, Any]:
    """The answers of a system, with another origin of its endpoints if that is given."""
    text = (Path(__file__).parent / "answers" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(
        text.replace("https://acme.example.com", instead.get("origin", "https://acme.example.com"))
    )
    return found


class OtherSystem:
    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.busy = 0
        """How many of the next requests are too many."""
        self.redirects_to: str | None = None
        self.url = ""

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, str], Any]:
        """The status, more headers and body for a GET."""
        self.asked.append(path)
        if self.redirects_to is not None:
            return 302, {"location": self.redirects_to + path}, None
        if authorization != f"Bearer {KEY}":
            return 401, {}, {"detail": "Invalid token"}
        if self.busy:
            self.busy -= 1
            return 429, {"retry-after": "0"}, {"detail": "Slow down"}
        return (200, {}, self.answers[path]) if path in self.answers else (404, {}, {"detail": "Not found"})


@contextmanager
def served(answers: Mapping[str, Any]) -> Iterator[OtherSystem]:
    """The fake on loopback."""
    system = OtherSystem(answers)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            status, headers, body = system.answer(self.path, self.headers.get("authorization", ""))
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    with serving(Handler) as system.url:
        yield system
