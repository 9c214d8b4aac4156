"""The keys that a gateway starts with: as they were given, or in their files, which the first start makes."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from signalpost.domain.access.api_key import make_key
from signalpost.domain.errors import Conflict, StartError
from signalpost.runtime import key_file
from signalpost.settings import SETTINGS, Settings, secret_file
from signalpost.store.vault import KEY_BYTES


def operator_key(settings: Settings) -> str:
    """Raises StartError."""
    given = settings.operator_key
    return given if given is not None else _kept(settings, "operator_key", lambda: make_key(secrets.token_bytes))


class MasterKeySource:
    """Where a gateway has its master keys from: a setting, a file that the operator named, or its own file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def name(self) -> str:
        """The name for people: the setting's, or the path of the file."""
        return "MASTER_KEY" if self._settings.master_key else str(secret_file(self._settings, "master_key"))

    def find(self) -> tuple[bytes, ...] | None:
        """The master keys that it has now; None if the first start is to make one. Raises StartError."""
        given = self._settings.master_key
        keys: tuple[bytes, ...] | None = given if given is not None else in_file(self._settings, "master_key")
        return keys

    def read(self) -> tuple[bytes, ...]:
        """The master keys that it has now, the current one first. Raises StartError."""
        given = self._settings.master_key
        keys: tuple[bytes, ...] = given if given is not None else _kept(self._settings, "master_key", _new_master_key)
        return keys

    def add(self) -> tuple[bytes, ...]:
        """Make another master key, write it before those that there are, and return all. Raises StartError, and
        Conflict if only the operator can do that."""
        if self._settings.master_key is not None:
            detail = (
                "The master key is a setting. Start the gateway with a new one before it, MASTER_KEY=NEW,OLD. While "
                "it runs, it moves everything to the new one."
            )
            raise Conflict("master_key_is_setting", detail)
        if self._settings.master_key_file is not None:
            detail = (
                f"Write a new key into {self.name}, on a line above the present one, and ask again: the gateway then "
                f"moves everything to it. It only writes to its own files."
            )
            raise Conflict("master_key_is_elsewhere", detail)
        keys = (secrets.token_bytes(KEY_BYTES), *self.read())
        _write_key(secret_file(self._settings, "master_key"), "\n".join(map(_written, keys)))
        return keys


def _new_master_key() -> str:
    return _written(secrets.token_bytes(KEY_BYTES))


def _written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _kept(settings: Settings, name: str, make: Callable[[], str]) -> Any:
    """The value of a secret setting in its file. The first start makes the file, readable by its owner only, unless the
    operator named it.

    Raises StartError."""
    if (found := in_file(settings, name)) is not None:
        return found
    _write_key(secret_file(settings, name), make())
    return in_file(settings, name)


def in_file(settings: Settings, name: str) -> Any:
    """The value of a secret setting in its file; None if the first start is to make the file. Raises StartError."""
    file = secret_file(settings, name)
    try:
        if file == settings.master_key_file:
            text = key_file.read_elsewhere(file)
        elif os.path.lexists(file):
            text = key_file.read(file)
        else:
            return None
        return SETTINGS[name].read(text)
    except key_file.NotPrivate as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        problem = "must be ASCII" if isinstance(error, UnicodeDecodeError) else error
        raise StartError(f"The content of {file} {problem}. Restore the key from a backup.") from None


def _write_key(file: Path, text: str) -> None:
    try:
        key_file.write(file, text)
    except key_file.NotPrivate as error:
        raise StartError(str(error)) from None
    except OSError as error:
        raise StartError(f"{file} cannot be written: {error.strerror}.") from None
