"""What a file is called where it is saved: harmless on every system, and the title as far as that goes (RFC 6266)."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.files.content_types import KINDS
from signalpost.files.filenames import disposition, filename

PDF = KINDS["pdf"].content_type
TITLES = st.text(max_size=300) | st.sampled_from(
    ["../../etc/passwd", "C:\\x\\y.exe", "a\r\nset-cookie: x=y", ".htaccess"]
)
FOLDED = "＂＼％／：＊？＜＞｜﹕﹨℀⁈≮⩴"
"""What decomposition turns into characters that mean something in a file's name or in a header."""


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Mutual NDA", "Mutual NDA.pdf"),
        ("Mutual NDA.pdf", "Mutual NDA.pdf"),
        ("Mutual NDA.PDF", "Mutual NDA.pdf"),
        ("Mutual NDA.docx", "Mutual NDA.docx.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ("C:\\Users\\x", "C Users x.pdf"),
        (".htaccess", "htaccess.pdf"),
        ("a\r\nset-cookie: x=y", "a set-cookie x=y.pdf"),
        ('quo"te', "quo te.pdf"),
        ("invoice\u202efdp.exe", "invoice fdp.exe.pdf"),
        ("  spaces \t everywhere  ", "spaces everywhere.pdf"),
        ("", "document.pdf"),
        ("...", "document.pdf"),
        ("///", "document.pdf"),
        ("Vertrag über Größe", "Vertrag über Größe.pdf"),
        ("契約書", "契約書.pdf"),
        ("x" * 500, "x" * 200 + ".pdf"),
        ("ü" * 500, "ü" * 100 + ".pdf"),
    ],
)
def test_a_title_becomes_a_name(title: str, name: str) -> None:
    assert filename(title, PDF) == name


@given(TITLES)
def test_no_name_can_do_harm(title: str) -> None:
    name = filename(title, PDF)
    assert name.endswith(".pdf")
    assert len(name.encode()) <= 204
    assert not name.startswith((".", " "))
    assert not re.search(r'[/\\:*?"<>|%\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]', name)


@given(TITLES | st.text(FOLDED + "a;= ", max_size=20))
def test_a_header_is_plain_and_says_the_name(title: str) -> None:
    name = filename(title, PDF)
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    second = r"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)"
    read = re.fullmatch(rf"""attachment; filename="([^/\\:*?"<>|%]+)"(?:{second})?""", header)
    assert read
    assert (read[1] if read[2] is None else unquote(read[2])) == name
    assert re.fullmatch(r"[^.].*\.pdf", read[1])


def test_who_does_not_know_the_second_form_gets_a_name_too() -> None:
    assert disposition("Grüße.pdf") == "attachment; filename=\"Grue.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf"
    assert disposition("契約書.pdf").startswith('attachment; filename="document.pdf"; ')
    assert disposition("Wide＂; x＝＼.pdf").startswith('attachment; filename="Wide ; x=.pdf"; ')
    assert disposition("Plain.pdf") == 'attachment; filename="Plain.pdf"'
