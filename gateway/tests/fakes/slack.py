"""Slack: an incoming webhook and the two methods of the Web API that a bot calls."""

from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest


def refused(error: str) -> Answer:
    """How the Web API says no: with 200."""
    return Answer(200, {"ok": False, "error": error})


def too_fast(seconds: int) -> Answer:
    return Answer(429, {"ok": False, "error": "ratelimited"}, {"retry-after": str(seconds)})


class Slack(Vendor):
    """A workspace with one webhook and one bot."""

    WEBHOOK_PATH = "/services/T0/B0/webhook-canary"

    def __init__(self, token: str = "xoxb-good", channels: tuple[str, ...] = ("#contracts", "C0123456789")) -> None:
        super().__init__()
        self.token: str | None = token
        """None once it is revoked."""
        self.channels = channels
        self.messages: list[dict[str, str]] = []
        """What was posted: `text`, `channel` unless by the webhook, and `thread_ts` in a thread."""
        self.threads: set[str] = set()
        """The `ts` of the messages that can be answered to. A message that is deleted is taken out."""

    def act(self, asked: VendorRequest) -> Answer:
        if asked.path == self.WEBHOOK_PATH:
            self.messages.append(asked.json)
            return Answer(200, b"ok", {"content-type": "text/html"})
        if asked.path.startswith("/services/"):
            return Answer(404, b"no_service", {"content-type": "text/html"})
        if self.token is None or asked.bearer != self.token:
            return refused("token_revoked" if self.token is None else "invalid_auth")
        if asked.path == "/api/auth.test":
            return Answer(200, {"ok": True, "team": "Example", "user": "signalpost"})
        if asked.path == "/api/auth.revoke":
            self.token = None
            return Answer(200, {"ok": True, "revoked": True})
        return self._post(asked)

    def _post(self, asked: VendorRequest) -> Answer:
        message = asked.json
        if message["channel"] not in self.channels:
            return refused("channel_not_found")
        if "thread_ts" in message and message["thread_ts"] not in self.threads:
            return refused("thread_not_found")
        self.messages.append(message)
        ts = f"{len(self.messages)}.000001"
        self.threads.add(ts)
        return Answer(200, {"ok": True, "channel": message["channel"], "ts": ts})
