"""Salesforce: an organisation's records, behind a login that does not say when its tokens end."""

from gateway.tests.fakes.vendor import Answer, Tokens, Vendor, VendorRequest


def refused(status: int, code: str, message: str = "No.") -> Answer:
    return Answer(status, [{"errorCode": code, "message": message}])


LOCKED = refused(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
APEX = refused(
    400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "LeadTrigger: execution of BeforeUpdate\ncaused by: System.NullPointer"
)
DAY_LIMIT = refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


class Salesforce(Vendor):
    """An organisation. Its domain is `origin`."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = Tokens(expires_in=None)
        self.records: dict[str, list[dict[str, object]]] = {}
        """The records of each object; every record has its `Id`."""

    def token_answer(self, asked: VendorRequest) -> Answer | None:
        if asked.path == "/services/oauth2/revoke":
            return Answer(200) if self.tokens.take_back(asked) else Answer(400, {"error": "invalid_token"})
        return self.tokens.answer(asked) if asked.path == "/services/oauth2/token" else None

    def act(self, asked: VendorRequest) -> Answer:
        if not self.tokens.is_good(asked):
            return refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        match asked.path.strip("/").split("/", 6)[2:]:
            case ["data"] | ["v66.0"] | []:
                return Answer(200, {"sobjects": "/services/data/v66.0/sobjects"})
            case ["v66.0", "sobjects", kind, value]:
                return self._change(kind, "Id", value, asked)
            case ["v66.0", "sobjects", kind, field, value]:
                return self._change(kind, field, value, asked)
        return refused(404, "NOT_FOUND")

    def _change(self, kind: str, field: str, value: str, asked: VendorRequest) -> Answer:
        records = self.records.setdefault(kind, [])
        found = [record for record in records if record.get(field) == value]
        if len(found) > 1:
            return Answer(300, [f"/services/data/v66.0/sobjects/{kind}/{record['Id']}" for record in found])
        if found:
            found[0].update(asked.json)
            return Answer(204) if field == "Id" else Answer(200, {"id": found[0]["Id"], "success": True})
        if field == "Id" or asked.query.get("updateOnly") == "true":
            return refused(404, "NOT_FOUND", "The requested resource does not exist")
        record = {"Id": f"00Q{len(records):015}", field: value, **asked.json}
        records.append(record)
        return Answer(201, {"id": record["Id"], "success": True, "created": True})
