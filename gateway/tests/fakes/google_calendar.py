"""Google Calendar: entries that stay under their ids when they are deleted, behind Google's login."""

from typing import Any

from gateway.tests.fakes.vendor import Answer, Tokens, Vendor, VendorRequest


def refused(status: int, reason: str, message: str = "No.") -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})


TOO_FAST = refused(403, "userRateLimitExceeded", "User Rate Limit Exceeded")
DAY_LIMIT = refused(403, "quotaExceeded", "Calendar usage limits exceeded.")


class GoogleCalendar(Vendor):
    """The calendars that are shared with one account."""

    def __init__(self, calendars: tuple[str, ...] = ("primary",)) -> None:
        super().__init__()
        self.tokens = Tokens()
        self.entries: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in calendars}
        """The entries of each calendar by their ids; a deleted one has the status `cancelled`."""
        self._hidden: set[str] = set()
        """Deleted entries, which a PATCH does not find until an insert found the id taken: a guess at Google's ways."""

    def confirmed(self, calendar: str = "primary") -> list[dict[str, Any]]:
        """The entries that people see."""
        return [entry for entry in self.entries[calendar].values() if entry["status"] == "confirmed"]

    def token_answer(self, asked: VendorRequest) -> Answer | None:
        if asked.path == "/revoke":
            return Answer(200, {}) if self.tokens.take_back(asked) else Answer(400, {"error": "invalid_token"})
        return self.tokens.answer(asked) if asked.path == "/token" else None

    def act(self, asked: VendorRequest) -> Answer:
        if not self.tokens.is_good(asked):
            return refused(401, "authError", "Invalid Credentials")
        _, _, _, _, calendar, _, *rest = asked.path.split("/")
        entries = self.entries.get(calendar)
        if entries is None:
            return refused(404, "notFound", "Not Found")
        if asked.method == "POST":
            return self._insert(entries, asked.json)
        if asked.method == "GET" and not rest:
            return Answer(200, {"items": []})
        return self._change(entries, rest[0], asked)

    def _insert(self, entries: dict[str, dict[str, Any]], entry: dict[str, Any]) -> Answer:
        if entry["id"] in entries:
            self._hidden.discard(entry["id"])
            return refused(409, "duplicate", "The requested identifier already exists.")
        entries[entry["id"]] = {**entry, "htmlLink": f"https://calendar.example/{entry['id']}"}
        return Answer(200, entries[entry["id"]])

    def _change(self, entries: dict[str, dict[str, Any]], entry_id: str, asked: VendorRequest) -> Answer:
        entry = entries.get(entry_id)
        if entry is None:
            return refused(404, "notFound", "Not Found")
        if asked.method == "DELETE":
            if entry["status"] == "cancelled":
                return refused(410, "deleted", "Resource has been deleted")
            entry["status"] = "cancelled"
            self._hidden.add(entry_id)
            return Answer(204)
        if entry_id in self._hidden:
            return refused(404, "notFound", "Not Found")
        for name, value in asked.json.items():
            merged = {**entry.get(name, {}), **value} if isinstance(value, dict) else value
            entry[name] = {n: v for n, v in merged.items() if v is not None} if isinstance(merged, dict) else merged
        return Answer(200, entry)
