"""How SQLite keeps ids: each is read back as it was written."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from signalpost.store.sqlite import codec


@given(st.uuids(version=None))
def test_uuids(identity: UUID) -> None:
    packed = codec.pack_uuid(str(identity))
    assert packed == identity.bytes
    assert codec.unpack_uuid(packed) == str(identity)
