"""Secrets at rest: readable with the master key and in their row only, and nowhere in the files."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.commands.command import IdempotencyKey
from signalpost.domain.errors import StartError
from signalpost.store.vault import KEY_BYTES, Vault

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

VAULT = Vault(bytes(range(KEY_BYTES)))
OTHER = Vault(bytes(KEY_BYTES))


@given(st.binary(), st.text(st.characters(codec="utf-8")))
def test_opening_is_the_inverse_of_sealing(plain: bytes, row: str) -> None:
    assert VAULT.open(VAULT.seal(plain, row), row) == plain


@given(st.binary(min_size=8), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_does_not_show_and_never_repeats(plain: bytes, row: str) -> None:
    sealed = VAULT.seal(plain, row)
    assert plain not in sealed
    assert sealed != VAULT.seal(plain, row)


def test_another_key_or_another_row_opens_nothing() -> None:
    sealed = VAULT.seal(b"secret", "subscription 1")
    for vault, row in ((OTHER, "subscription 1"), (VAULT, "subscription 2"), (VAULT, "")):
        with pytest.raises(StartError, match="MASTER_KEY"):
            vault.open(sealed, row)


@given(st.binary(max_size=40), st.data())
def test_what_was_altered_or_cut_off_is_told(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(plain, "row"))
    if data.draw(st.booleans()):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
    with pytest.raises(StartError, match="MASTER_KEY"):
        VAULT.open(bytes(sealed), "row")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_told(size: int) -> None:
    with pytest.raises(StartError, match=f"has {size}"):
        Vault(bytes(size))


def test_no_secret_and_no_header_value_is_in_the_files(play: "Play", make: "type[Tools]", tmp_path: Path) -> None:
    """Not in the database, not in its WAL, not in the answers that are kept for their Idempotency-Key."""
    secrets = [b"whsec_c2VjcmV0LW9mLXRoZS1vd25lcg==", b"plainly-hidden-header-value", b"the-rotated-secret"]

    async def scenario(shop: "Shop") -> None:
        await shop.publish(
            make.subscribe(
                1,
                secret=secrets[0].decode(),
                headers={"authorization": secrets[1].decode()},
                name="visible-name",
                key=IdempotencyKey(1, "k", b"h"),
            ),
            make.change(1, headers={"x": secrets[2].decode()}),
        )
        check()
        await shop.reopen()
        found = await shop.subscription()
        assert (found.secret, found.headers) == (secrets[0].decode(), {"x": secrets[2].decode()})

    def check() -> None:
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert b"visible-name" in kept
        for secret in secrets:
            assert secret not in kept

    play(scenario)
    check()
