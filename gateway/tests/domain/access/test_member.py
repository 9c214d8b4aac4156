"""Which passwords members may choose."""

import pytest

from signalpost.domain.access.member import MAX_PASSWORD_CHARACTERS, password_fault


@pytest.mark.parametrize("password", ["four words make sense", "Zwölf Zeichen", "x1!y2?z3#abc", "abcde" * 100])
def test_any_long_text_is_a_password(password: str) -> None:
    assert password_fault(password, "ada@example.com") is None


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "aaaaaaaaaaaaaaaa", "abababababab", "Ada@Example.com", "abcde" * MAX_PASSWORD_CHARACTERS],
)
def test_short_ones_simple_ones_and_the_address_are_refused_in_words(password: str) -> None:
    fault = password_fault(password, "ada@example.com")
    assert fault is not None
    assert fault.endswith(".")
