"""What a file is, by its content alone."""

import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.files.content_types import EXTENSIONS, KINDS, kind_of


def kind(content: bytes) -> str | None:
    return kind_of(lambda at, size: content[at : at + size], len(content))


def archive(parts: Mapping[str, bytes], comment: bytes = b"") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
        made.comment = comment
    return written.getvalue()


def office(main: str, **more: bytes) -> bytes:
    return archive({"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"", main: b"<x/>" * 1000, **more})


def open_document(content_type: str) -> bytes:
    return archive({"mimetype": content_type.encode(), "content.xml": b"<x/>"})


def compound(*names: str, shift: int = 9) -> bytes:
    """An OLE file whose directory goes over as many sectors as its entries need, not side by side."""
    size, each = 1 << shift, (1 << shift) // 128
    entries = [name.encode("utf-16-le").ljust(64, b"\0").ljust(128, b"\0") for name in ("Root Entry", *names)]
    sectors = [b"".join(entries[at : at + each]).ljust(size, b"\0") for at in range(0, len(entries), each)]
    # Sector 0 is the table; the directory is in 2, 4, 6 …, with rubbish between.
    table = [0xFFFFFFFD] + [0xFFFFFFFF] * (size // 4 - 1)
    content = bytearray(size * (2 * len(sectors) + 2))
    for at, sector in enumerate(sectors):
        number = 2 * at + 2
        content[number * size : number * size + size] = sector
        table[number] = number + 2 if at + 1 < len(sectors) else 0xFFFFFFFE
    content[:size] = b"".join(entry.to_bytes(4, "little") for entry in table)
    header = bytearray(size)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    header[30:32] = shift.to_bytes(2, "little")
    header[48:52] = (2).to_bytes(4, "little")
    header[76:512] = b"\xff" * (512 - 76)
    header[76:80] = (0).to_bytes(4, "little")
    return bytes(header + content)


OTHER_STREAMS = ("Data", "1Table", "\x05SummaryInformation", "\x05DocumentSummaryInformation", "CompObj")
SAMPLES: dict[str, list[bytes]] = {
    "pdf": [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", b"%PDF-2.0"],
    "docx": [office("word/document.xml"), office("word/document.xml", **{"docProps/app.xml": b""})],
    "xlsx": [office("xl/workbook.xml")],
    "pptx": [office("ppt/presentation.xml")],
    "odt": [open_document(KINDS["odt"].content_type)],
    "ods": [open_document(KINDS["ods"].content_type)],
    "odp": [open_document(KINDS["odp"].content_type)],
    "doc": [compound(*OTHER_STREAMS, "WordDocument"), compound("WordDocument", shift=12)],
    "xls": [compound("Workbook"), compound(*OTHER_STREAMS, "Book")],
    "ppt": [compound(*OTHER_STREAMS, *OTHER_STREAMS, "PowerPoint Document")],
    "rtf": [b"{\\rtf1\\ansi hello}"],
    "txt": [b"hello", "Übergröße — ok\r\n\tx".encode(), b"\xef\xbb\xbfwith a mark", b"a" * 3_000_000],
    "png": [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"],
    "jpeg": [b"\xff\xd8\xff\xe0\0\x10JFIF", b"\xff\xd8\xff\xe1Exif"],
    "tiff": [b"II*\x00\x08\0\0\0", b"MM\x00*\0\0\0\x08"],
}
STRANGE: dict[str, bytes] = {
    "a program": b"\x7fELF\x02\x01\x01" + bytes(9),
    "a program of Windows": b"MZ\x90\x00\x03",
    "an archive": archive({"a.txt": b"x"}),
    "an archive that says it is a document": archive({"word/document.xml": b"x"}),
    "an archive whose directory is cut off": office("word/document.xml")[:-40],
    "a package for phones": archive({"AndroidManifest.xml": b"x", "classes.dex": b"x"}),
    "a book": open_document("application/epub+zip"),
    "a template": open_document("application/vnd.oasis.opendocument.text-template"),
    "an installer": compound("\x05SummaryInformation", "Registry"),
    "a message": compound("__properties_version1.0"),
    "a compound file without an end": compound("WordDocument")[:700],
    "a page": b"<!DOCTYPE html><html>",
    "a page after blanks": b"\xef\xbb\xbf \r\n <HTML><script>alert(1)</script>",
    "a drawing": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "a program of the web": b"<?xml version='1.0'?><x/>",
    "a text with a zero": b"hello\0world",
    "a text in another encoding": "größe".encode("latin-1"),
    "a text that breaks off inside of a character": "ü".encode()[:1],
    "a text with a mistake far behind": b"a" * 2_000_000 + b"\xff",
    "an escape": b"\x1b[31mred",
    "a picture that is no document": b"GIF89a\x01\x00\x01\x00\x80",
}


@pytest.mark.parametrize(("name", "content"), [(name, each) for name, all_ in SAMPLES.items() for each in all_])
def test_every_kind_is_recognised(name: str, content: bytes) -> None:
    assert kind(content) == name


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_what_is_no_document_is_of_no_kind(content: bytes) -> None:
    assert kind(content) is None


def test_every_kind_has_a_sample_and_an_extension_of_its_own() -> None:
    assert set(SAMPLES) == set(KINDS)
    assert len(EXTENSIONS) == len(KINDS)


def test_a_comment_at_an_archive_s_end_hides_nothing() -> None:
    assert kind(archive({"[Content_Types].xml": b"", "word/document.xml": b""}, b"a comment" * 100)) == "docx"


def test_a_file_of_one_kind_that_contains_another_is_what_it_begins_as() -> None:
    assert kind(b"%PDF-1.7" + office("word/document.xml")) == "pdf"


BEGINNINGS = st.sampled_from(
    [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", *(s[0][:600] for s in SAMPLES.values())]
)


@given(BEGINNINGS, st.binary(max_size=600))
def test_nothing_that_is_made_of_rubbish_makes_it_fail(beginning: bytes, rest: bytes) -> None:
    assert kind(beginning + rest) in (None, *KINDS)


@given(st.integers(0, 2**16), st.binary(min_size=1, max_size=4))
def test_no_change_of_an_office_file_makes_it_fail(at: int, other: bytes) -> None:
    for whole in (compound("WordDocument"), office("word/document.xml")):
        place = at % len(whole)
        assert kind(whole[:place] + other + whole[place + len(other) :]) in (None, *KINDS)


def test_a_directory_that_leads_in_circles_is_left() -> None:
    looping = bytearray(compound(*OTHER_STREAMS))
    looping[512 + 4 * 2 : 512 + 4 * 2 + 4] = (2).to_bytes(4, "little")
    assert kind(bytes(looping)) is None


@given(st.text(max_size=200))
def test_any_text_without_control_characters_is_a_text_unless_it_begins_as_markup(text: str) -> None:
    content = text.encode("utf-8", "ignore")
    found = kind(content)
    if content and content.lstrip()[:1] != b"<" and all(c >= " " and c != "\x7f" for c in text):
        assert found in ("txt", "rtf", "pdf")
