"""Xero: an organisation's bills, its limits, and a login whose refresh tokens are replaced with each use."""

from typing import Any

from gateway.tests.fakes.vendor import Answer, Tokens, Vendor, VendorRequest

MINUTE_LIMIT = Answer(429, b"", {"retry-after": "42", "x-rate-limit-problem": "minute"})
DAY_LIMIT = Answer(429, b"", {"retry-after": "66975", "x-rate-limit-problem": "day"})


class Xero(Vendor):
    """One organisation. A custom connection needs no header to name it, a person's consent does."""

    ORGANISATION = "0f0e0d0c-0b0a-4009-8807-060504030201"
    CONNECTION = "01020304-0506-4708-890a-0b0c0d0e0f00"
    """The app's way into the organisation, which has an id of its own."""

    def __init__(self, accounts: tuple[str, ...] = ("400",)) -> None:
        super().__init__()
        self.tokens = Tokens(expires_in=1800)
        self.tokens.rotates = True
        self.names_organisation = False
        """Whether calls must name the organisation: with a person's consent they must."""
        self.is_connected = True
        """Whether the app is in the organisation."""
        self.accounts = accounts
        self.bills: list[dict[str, Any]] = []
        self._answers: dict[str, Answer] = {}
        """The answers by idempotency key; `forget_keys` ends their lives."""

    def forget_keys(self) -> None:
        self._answers.clear()

    def token_answer(self, asked: VendorRequest) -> Answer | None:
        if asked.path == "/connect/revocation":
            if not self.tokens.is_of_client(asked):
                return Answer(400, {"error": "invalid_client"})
            self.tokens.take_back(asked)  # one that is not known is none that works
            return Answer(200)
        return self.tokens.answer(asked) if asked.path == "/connect/token" else None

    def act(self, asked: VendorRequest) -> Answer:
        if not self.tokens.is_good(asked):
            return Answer(401, {"Title": "Unauthorized", "Detail": "TokenExpired"})
        if asked.path == "/connections":
            found = {"id": self.CONNECTION, "tenantId": self.ORGANISATION, "tenantType": "ORGANISATION"}
            return Answer(200, [{**found, "tenantName": "Demo"}] if self.is_connected else [])
        if asked.path == f"/connections/{self.CONNECTION}" and asked.method == "DELETE":
            was_connected, self.is_connected = self.is_connected, False
            return Answer(204 if was_connected else 404)
        if self.names_organisation and asked.headers.get("xero-tenant-id") != self.ORGANISATION:
            return Answer(403, {"Title": "Forbidden", "Detail": "AuthenticationUnsuccessful"})
        if asked.method == "GET":
            wanted = asked.query.get("InvoiceNumbers", "").split(",")
            return Answer(200, {"Invoices": [bill for bill in self.bills if bill["InvoiceNumber"] in wanted]})
        key = asked.headers.get("idempotency-key", "")
        if key not in self._answers:
            self._answers[key] = self._make(asked.json["Invoices"][0])
        return self._answers[key]

    def _make(self, bill: dict[str, Any]) -> Answer:
        unknown = [line["AccountCode"] for line in bill["LineItems"] if line["AccountCode"] not in self.accounts]
        if unknown:
            errors = [{"Message": f"Account code '{code}' is not a valid code for this document."} for code in unknown]
            return Answer(
                400,
                {
                    "ErrorNumber": 10,
                    "Type": "ValidationException",
                    "Message": "A validation exception occurred",
                    "Elements": [{**bill, "ValidationErrors": errors}],
                },
            )
        self.bills.append({**bill, "InvoiceID": f"{len(self.bills):08}-0000-4000-8000-000000000000"})
        return Answer(200, {"Invoices": [self.bills[-1]]})
