"""What a body costs, from its bytes to what a command takes: the gateway's structs, and pydantic's models of the same.

    .venv/bin/python benchmarks/bodies.py

The models take and refuse what the structs do, as far as these bodies show it. pydantic comes with what working on the
gateway needs; the gateway itself does not have it. docs/decisions/0025 has the figures.
"""

import json
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

CREATE = {
    "type": "NDA",
    "title": "Mutual NDA",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "startDate": "2021-11-25",
    "referenceId": "R-17",
    "contractValue": 1500.25,
    "counterpartyName": "Company A",
    "additionalFacts": {"currency": "AUD", "pages": 12},
}
LINE = {
    "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c",
    "type": "NDA",
    "title": "Mutual NDA",
    "status": "approved",
    "createdAt": "2026-01-15T09:30:00.123456+00:00",
    "sourceApp": "archive",
    "ownerEmail": "owner@example.com",
    "authorEmail": "author@example.com",
    "latestVersion": {"number": "1.0", "downloadUrl": "https://archive.example.com/1"},
    "sourceVersion": 7,
}
WRONG = {**CREATE, "title": "", "ownerEmail": "nobody", "contractValue": 1.005, "unknown": 1}
NUMBER = 2_000

STRUCTS = """
from signalpost.api.http.body import read_json
from signalpost.domain.body import read
from signalpost.domain.documents.bodies import NewDocument, SnapshotLine

def create(body): return read(NewDocument, read_json(body))
def line(body): return read(SnapshotLine, read_json(body))
"""
MODELS = """
import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.timestamps import format_timestamp, normalise_date_or_timestamp, parse_timestamp


def is_email(text):
    if not re.fullmatch(r"[^@\\s]+@[^@\\s]+", text):
        raise ValueError("This must be an e-mail address.")
    return text


def is_uuid(text):
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text.lower()):
        raise ValueError("This must be a UUID.")
    return text.lower()


def is_money(amount):
    if amount != amount.quantize(Decimal("0.01")):
        raise ValueError("This can have at most two decimals.")
    return float(amount)


Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\\x00]*$")]
Email = Annotated[Text, AfterValidator(is_email)]
Uuid = Annotated[str, AfterValidator(is_uuid)]
Date = Annotated[Text, AfterValidator(normalise_date_or_timestamp)]
Timestamp = Annotated[Text, AfterValidator(lambda text: format_timestamp(parse_timestamp(text)))]
Money = Annotated[Decimal, Field(ge=-(10**13), le=10**13), AfterValidator(is_money)]
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\\x00]*$")]
Fact = Annotated[str, Field(max_length=4096, pattern=r"^[^\\x00]*$")] | bool | int | float


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Version(Model):
    number: Text
    download_url: Annotated[str, Field(min_length=1, max_length=4096)]


class NewDocument(Model):
    type: Text
    title: Text
    owner_email: Email
    author_email: Email
    start_date: Date | None = None
    expiry_date: Date | None = None
    reference_id: Text | None = None
    contract_value: Money | None = None
    counterparty_name: Text | None = None
    additional_facts: Annotated[dict[Name, Fact], Field(max_length=64)] = {}
    source_app: Text | None = None


class Line(NewDocument):
    status: Literal[STATUSES]
    created_at: Timestamp
    source_app: Text
    executed_at: Timestamp | None = None
    external_id: Uuid
    latest_version: Version | None = None
    published_version: Version | None = None
    source_version: Annotated[int, Field(ge=0, lt=2**63)] | None = None


create = NewDocument.model_validate_json
line = Line.model_validate_json
"""
CANDIDATES = {"structs": STRUCTS, "pydantic": MODELS}
ALONE = "import signalpost.api.http.body, signalpost.domain.documents.workflow"
"""What a start imports without any of them."""


def main() -> None:
    table = Table("", "a create, µs", "an import of 100 lines, µs", "a create with four errors, µs", "start, ms")
    alone = _start("")
    for name, code in CANDIDATES.items():
        found: dict[str, Any] = {}
        exec(code, found)  # noqa: S102 - so that a start can be timed with the very same code
        figures = (
            _microseconds(found["create"], CREATE),
            100 * _microseconds(found["line"], LINE),
            _microseconds(_refused(found["create"]), WRONG),
            _start(code) - alone,
        )
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    Console().print(table)


def _microseconds(read: Callable[[bytes], Any], body: dict[str, Any]) -> float:
    content = json.dumps(body).encode()
    return min(timeit.repeat(lambda: read(content), timer=time.process_time, number=NUMBER, repeat=9)) / NUMBER * 1e6


def _refused(read: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    def refused(content: bytes) -> None:
        try:
            read(content)
        except Exception:
            return
        raise AssertionError

    return refused


def _start(code: str) -> float:
    """The CPU ms that a process takes to import it and to read a first body, above what the rest takes."""
    first = f"create({json.dumps(CREATE).encode()!r})" if code else ""
    timed = f"import time\n{ALONE}\nbegun = time.process_time()\n{code}\n{first}\nprint(time.process_time() - begun)"
    runs = [subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True).stdout for _ in range(9)]  # noqa: S603
    return min(map(float, runs)) * 1000


if __name__ == "__main__":
    main()
