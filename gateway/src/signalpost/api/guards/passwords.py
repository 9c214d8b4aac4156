"""Hashes of passwords: argon2id with the parameters that OWASP names (19 MiB, 2 passes, 1 lane), on a thread.

A hash takes some 50 ms and its memory. So they are made one at a time, and few may wait.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from signalpost.domain.errors import TooMany

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
MAX_WAITING: Final = 32
"""How many may wait for their turn. The last of them waits a few seconds."""
_NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$q8Jmp05prpucpwrQWjawyQ$gQrKK9vBnwM/hKoJVS2Z1WFCd+10whS0ryuHPSE2/N4"
"""Checked if there is no password, so that the answer takes as long as for an account that exists."""
T = TypeVar("T")


class Passwords:
    """Both methods raise TooMany if too many wait."""

    def __init__(self, executor: Executor, random_bytes: Callable[[int], bytes]) -> None:
        """`executor` has one thread."""
        self._executor = executor
        self._random_bytes = random_bytes
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash, with what it was made with (the PHC form)."""
        salt = self._random_bytes(SALT_BYTES)
        made = Argon2id(salt=salt, length=HASH_BYTES, iterations=PASSES, lanes=1, memory_cost=MEMORY_KIB)
        return await self._on_thread(lambda: made.derive_phc_encoded(_bytes(password)))

    async def check(self, password: str, hashed: str | None) -> bool:
        """Whether a password is the one of a hash; it never is if there is no hash."""

        def fits() -> bool:
            try:
                Argon2id.verify_phc_encoded(_bytes(password), hashed or _NOBODYS)
            except InvalidKey:
                return False
            return hashed is not None

        return await self._on_thread(fits)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            detail = "Too many people sign in at the same time. Try again in a few seconds."
            raise TooMany("too_many_sign_ins", detail, retry_after=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    """The same bytes from every keyboard, however it composes letters with accents."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
