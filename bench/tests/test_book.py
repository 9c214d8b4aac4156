"""The sink's book: what it says of what came (C1, C17, C19)."""

import msgspec
import pytest

from signalpost_bench.sink import Book, Got
from signalpost_bench.workload import SECRET
from signalpost_receiver.sign import Signer


def _got(sequence: int, at: int = 1, document: str = "d", path: str = "/0", signed: str = SECRET) -> Got:
    body = msgspec.json.encode({"data": {"document": {"externalId": document, "referenceId": f"change {sequence}"}}})
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nsignalpost-sequence: {sequence}\r\n"
        f"plexus-webhook-signature: {Signer(signed).page_signature(body)}"
    )
    return Got(at, head.encode(), body)


@pytest.fixture
def book() -> Book:
    made = Book()
    made.forget(SECRET, None)
    return made


def _wrong(book: Book) -> dict[str, int]:
    found = book.check()
    return {name: found[name] for name in ("distinct", "repeated", "unverified", "disordered")}


def test_what_came_once_verified_and_in_order_is_right(book: Book) -> None:
    for got in (_got(1), _got(2), _got(1, path="/1"), _got(3, document="e"), _got(2, path="/1")):
        book.keep(got)
    assert _wrong(book) == {"distinct": 5, "repeated": 0, "unverified": 0, "disordered": 0}


def test_what_came_twice_unsigned_or_out_of_its_documents_order_is_told(book: Book) -> None:
    for got in (_got(2), _got(1), _got(1, document="e"), _got(3, signed="another secret")):
        book.keep(got)
    assert _wrong(book) == {"distinct": 3, "repeated": 1, "unverified": 1, "disordered": 1}


def test_arrivals_are_listed_of_the_paths_that_are_timed(book: Book) -> None:
    book.forget(SECRET, "/live")
    for got in (_got(1, at=5), _got(2, at=6, path="/live"), _got(3, at=7)):
        book.keep(got)
    found = book.check()
    assert found["arrived"] == [("change 2", 6)]
    assert found["last"] == 7


def test_it_begins_anew(book: Book) -> None:
    book.keep(_got(1))
    book.note_badly("hole")
    book.forget(SECRET, None)
    book.keep(_got(1))
    book.note_badly("drip")
    assert book.check()["badly"] == {"drip": 1}
    assert _wrong(book) == {"distinct": 1, "repeated": 0, "unverified": 0, "disordered": 0}
