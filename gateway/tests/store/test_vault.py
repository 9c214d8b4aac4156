"""Secrets at rest: readable with the master key and in their place only, and nowhere in the files."""

import base64
from typing import TYPE_CHECKING

import pytest
from gateway.tests.vaults import data_key, vault_for
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.commands.command import IdempotencyKey
from signalpost.domain.errors import StartError, Unavailable
from signalpost.store.vault import (
    EPOCH_AGE,
    KEY_BYTES,
    MARK,
    SEALS_AT_ONCE,
    SEALS_LEFT,
    SEALS_OF_AN_EPOCH,
    MasterKeys,
    Place,
    Vault,
)

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop, Tools

TENANTS = (1, 2, 11)
MASTER_KEY = bytes(range(KEY_BYTES))
VAULT = vault_for(*TENANTS, master_key=MASTER_KEY)
PLACES = st.builds(
    Place,
    st.sampled_from(["subscription", "connection", "grant", "idempotency"]),
    st.sampled_from(TENANTS),
    st.text(st.characters(codec="utf-8")) | st.sampled_from(["1", "1 1", "1 1 1", "11"]),
    st.integers(0, 12),
)


# --- Values -----------------------------------------------------------------------------------------------------------


@given(st.binary(), PLACES)
def test_opening_is_the_inverse_of_sealing(plain: bytes, place: Place) -> None:
    assert VAULT.open(VAULT.seal(plain, place), place) == plain


@given(st.binary(min_size=8), PLACES)
def test_what_is_sealed_does_not_show_and_never_repeats(plain: bytes, place: Place) -> None:
    sealed = VAULT.seal(plain, place)
    assert plain not in sealed.removeprefix(MARK)
    assert sealed != VAULT.seal(plain, place)


@given(PLACES, PLACES)
def test_a_value_opens_in_no_other_place(place: Place, other: Place) -> None:
    """Not in another row or tenant, not in another column, not in an earlier or later version of its row."""
    if place == other:
        return
    with pytest.raises(StartError, match="another place"):
        VAULT.open(VAULT.seal(b"secret", place), other)


@given(st.binary(max_size=40), PLACES, st.data())
def test_what_was_altered_or_cut_off_is_told(plain: bytes, place: Place, data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(plain, place))
    if data.draw(st.booleans()):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del sealed[data.draw(st.integers(0, len(sealed) - 1)) :]
    with pytest.raises(StartError, match="altered"):
        VAULT.open(bytes(sealed), place)


# --- Keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_told(size: int) -> None:
    with pytest.raises(StartError, match=f"has {size}"):
        MasterKeys([bytes(KEY_BYTES), bytes(size)])


def test_a_vault_that_let_go_of_its_data_keys_seals_nothing_until_it_is_given_one() -> None:
    place = Place("subscription", 1, "1", 0)
    vault = vault_for(1)
    sealed = vault.seal(b"secret", place)
    vault.let_go()
    assert vault.lacks(1, 0)
    with pytest.raises(Unavailable):
        vault.seal(b"secret", place)
    assert vault.open(sealed, place) == b"secret"


def test_a_data_key_opens_with_the_master_key_that_wraps_it_alone() -> None:
    masters, other = MasterKeys([MASTER_KEY]), MasterKeys([bytes(KEY_BYTES)])
    key = data_key(masters, 1, 1)
    assert len(masters.unwrap(key)) == KEY_BYTES
    assert MASTER_KEY not in key.wrapped
    assert masters.unwrap(key) == other.after(MASTER_KEY).unwrap(key) == masters.after(bytes(KEY_BYTES)).unwrap(key)
    with pytest.raises(StartError, match=rf"needs the master key {masters.current}.*given is {other.current}"):
        other.unwrap(key)


@pytest.mark.parametrize(("member", "value"), [("number", 2), ("tenant_id", 2), ("purpose", "consents")])
def test_a_data_key_is_of_one_tenant_and_purpose(member: str, value: object) -> None:
    masters = MasterKeys([MASTER_KEY])
    key = data_key(masters, 1, 1)
    with pytest.raises(StartError, match="altered"):
        masters.unwrap(replace(key, **{member: value}))


def test_a_key_asks_to_be_replaced_long_before_its_nonces_could_repeat() -> None:
    """Whatever a batch seals beyond what was set aside, an epoch stays far below the bound of 2^32."""
    assert SEALS_OF_AN_EPOCH + SEALS_AT_ONCE < 2**32 // 8
    vault = Vault(MasterKeys([MASTER_KEY]))
    assert vault.lacks(1, 0)
    vault.seal_with(data_key(vault.masters, 1, 1), SEALS_LEFT + 1)
    assert not vault.lacks(1, EPOCH_AGE - 1)
    assert vault.lacks(1, EPOCH_AGE)
    vault.seal(b"", Place("subscription", 1, "x", 1))
    assert not vault.lacks(1, 0)
    vault.seal(b"", Place("subscription", 1, "x", 1))
    assert vault.lacks(1, 0)


def test_a_forgotten_tenant_s_values_open_no_more_and_others_do() -> None:
    vault = vault_for(1, 2)
    place, other = Place("subscription", 1, "x", 1), Place("subscription", 2, "x", 1)
    sealed, kept = vault.seal(b"secret", place), vault.seal(b"secret", other)
    vault.forget(1)
    with pytest.raises(StartError):
        vault.open(sealed, place)
    assert vault.open(kept, other) == b"secret"
    assert vault.lacks(1, 0)


def test_no_representation_shows_a_key() -> None:
    assert repr(MASTER_KEY)[2:-1] not in repr(MasterKeys([MASTER_KEY])) + repr(VAULT)


# --- In a database ----------------------------------------------------------------------------------------------------


def test_no_secret_and_no_header_value_is_in_the_database(play: "Play", make: "type[Tools]") -> None:
    """Not in its files either, and not in the answers that are kept for their Idempotency-Key."""
    secrets = [b"whsec_c2VjcmV0LW9mLXRoZS1vd25lcg==", b"plainly-hidden-header-value", b"the-rotated-secret"]
    secrets += [MASTER_KEY, base64.b64encode(MASTER_KEY)]

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
        check(shop.content)
        await shop.reopen(lambda: check(shop.content))
        found = await shop.subscription()
        assert (found.secret, found.headers) == (secrets[0].decode(), {"x": secrets[2].decode()})

    def check(kept: bytes) -> None:
        assert b"visible-name" in kept
        for secret in secrets:
            assert secret not in kept

    play(scenario)
