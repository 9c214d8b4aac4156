"""The certificate and key with which the gateway speaks TLS, read again when their files change.

A new connection gets the certificate in the files, which are checked at most once a second. A connection keeps the
certificate that it began with. A pair that cannot be used (half of it is written yet, the key is another's, others may
read it) changes nothing: the last good one stays, and the log says why, once for each state of the files.
"""

import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from signalpost.domain.errors import StartError
from signalpost.runtime import key_file
from signalpost.runtime.logger import log

LOOK_SECONDS = 1.0
"""Minimum seconds between two checks of the files."""


class UnusableCertificate(Exception):
    """This pair cannot be used. The message is a sentence that says why."""


class CertifiedKey(NamedTuple):
    """A certificate, with what leads to its root, and its key, as in their files."""

    chain: bytes
    key: bytes


class Certificate:
    def __init__(
        self, cert: Path, key: Path, now: Callable[[], float] = time.monotonic, good: CertifiedKey | None = None
    ) -> None:
        """`now` is in seconds, and may begin anywhere. `good` is the last good pair of who had the certificate before.
        Raises StartError if the pair in the files cannot be used, and there is none."""
        self._cert = cert
        self._key = key
        self._now = now
        self._looked_at = now()
        self._seen = self._state()
        try:
            self._load()
        except UnusableCertificate as error:
            if good is None or sys.platform != "linux":
                raise StartError(f"TLS_CERT and TLS_KEY cannot be used. {error}") from None
            self._tell_unusable(error)
            self._context, self._good = _context_of(good), good

    @property
    def files(self) -> tuple[Path, Path]:
        return self._cert, self._key

    def good(self) -> CertifiedKey:
        """The last good pair."""
        self.context()
        return self._good

    def context(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        now = self._now()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._follow()
        return self._context

    def ends(self) -> float:
        """When the certificate ends that new connections get, seconds since the epoch. The first call takes a tenth of
        a second, because it loads what reads certificates."""
        from cryptography import x509

        self.context()  # where workers take the connections, no one else asks for it
        return x509.load_pem_x509_certificate(self._good.chain).not_valid_after_utc.timestamp()

    def _load(self) -> None:
        """Take up the pair in the files. Raises UnusableCertificate."""
        self._context = _context(self._cert, self._key)
        self._good = CertifiedKey(self._cert.read_bytes(), self._key.read_bytes())

    def _follow(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._load()
        except UnusableCertificate as error:
            self._tell_unusable(error)
        else:
            log.info("the certificate was reloaded", file=str(self._cert))

    def _tell_unusable(self, error: UnusableCertificate) -> None:
        log.warning("the new certificate cannot be used; the previous one stays in use", reason=str(error))

    def _state(self) -> object:
        """A value that changes when a file is written or replaced, even if it is a link."""
        return tuple(map(_state_of, (self._cert, self._key)))


def _state_of(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    """A context of this pair. Raises UnusableCertificate."""
    context = _empty_context()
    try:
        key_file.read_elsewhere(key)
        context.load_cert_chain(cert, key, password=_refuse_password)
    except (key_file.NotPrivate, UnusableCertificate) as error:
        raise UnusableCertificate(str(error)) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableCertificate(f"The key in {key} is not that of the certificate in {cert}.") from None
        raise UnusableCertificate(f"{cert} must be a PEM file of certificates, and {key} one of a key.") from None
    except OSError as error:
        missing = error.filename or (cert if os.path.lexists(key) else key)
        raise UnusableCertificate(f"{missing} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UnusableCertificate(f"{key} must be a PEM file of a key.") from None
    return context


def _empty_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


if sys.platform == "linux":

    def _context_of(pair: CertifiedKey) -> ssl.SSLContext:
        """A context of a pair that was good. OpenSSL takes files alone, so it gets one that is in memory and has no
        name."""
        context = _empty_context()
        with os.fdopen(os.memfd_create("pair"), "wb") as file:
            file.write(pair.chain + b"\n" + pair.key)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return context


def _refuse_password() -> str:
    """Without this, OpenSSL would ask at the terminal."""
    raise UnusableCertificate(
        "The key is encrypted with a password. Write it without one, for the gateway's user only."
    )
