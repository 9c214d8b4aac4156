"""Service accounts of Google: accounts for programs, each of which has a key file."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from signalpost.destinations.access import Grant
from signalpost.destinations.fields import MAX_SECRET_CHARACTERS, SecretText
from signalpost.destinations.members import JWT_BEARER, or_stand_in, read_private_key
from signalpost.domain.body import read_by
from signalpost.domain.checks import Bad, plain_text

TOKEN_ORIGIN: Final = "https://oauth2.googleapis.com"  # noqa: S105 - an address, not a token


class KeyFile(Struct, frozen=True):
    """What of a key file matters."""

    client_email: str
    private_key: str

    def __repr__(self) -> str:
        return "KeyFile(…)"


def read_key_file(text: str) -> KeyFile:
    """The members of a key file. Raises Bad."""
    try:
        return msgspec.json.decode(text, type=KeyFile)
    except msgspec.ValidationError:
        detail = "This is no key file of a service account: it must have client_email and private_key."
    except (msgspec.DecodeError, RecursionError):
        detail = "This begins like a key file, and is not the whole of one." if text.lstrip().startswith("{") else _NONE
    raise Bad("not_a_key", detail)


def grant_to(file: KeyFile, scope: str, stand_in: str | UnsetType = UNSET) -> Grant:
    """A token for what the scope opens, for a signed assertion."""
    return Grant(
        url=f"{or_stand_in(TOKEN_ORIGIN, stand_in)}/token",
        form={"grant_type": JWT_BEARER},
        claims={"iss": file.client_email, "scope": scope, "aud": f"{TOKEN_ORIGIN}/token"},
        signing_key=file.private_key,
    )


def _read_whole(value: Any) -> str:
    """What has to be kept of a key file, in its own form."""
    file = read_key_file(plain_text(value, MAX_SECRET_CHARACTERS))
    return msgspec.json.encode(KeyFile(file.client_email, read_private_key(file.private_key))).decode()


_NONE: Final = "This is no key file of a service account: give the whole file that Google had you download."
ServiceAccountKey = Annotated[SecretText, Meta(extra=read_by(_read_whole))]
"""The key file of a service account, whole."""
