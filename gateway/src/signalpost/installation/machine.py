"""The machine that a gateway is installed on, as it is."""

import ctypes
import http.client
import os
import pwd
import shutil
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from signalpost.domain.timestamps import SECOND
from signalpost.installation.seen import NoServerAnswer, ServerAnswer
from signalpost.runtime.clock import wall_clock
from signalpost.sender.tls_context import tls_context

TIMEOUT = 10
MAX_BODY = 64 * 1024
_TIME_ERROR = 5
"""What `adjtimex` returns if nothing keeps the clock right."""
_TIMEX_BYTES = 512
"""More than any system's `struct timex` takes; all zero, it asks for nothing to be changed."""


class SystemMachine:
    now = staticmethod(wall_clock)

    @property
    def user(self) -> int:
        return os.geteuid()

    def free(self, folder: Path) -> int:
        return shutil.disk_usage(folder).free

    def is_read_only(self, folder: Path) -> bool:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)

    def may_look_into(self, folder: Path) -> bool:
        try:
            folder.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return os.access(folder, os.X_OK)

    def holder(self, lock: Path) -> int | None:
        """Only the system's list of locks is read: to try the lock would keep out a gateway that starts just then."""
        try:
            held, inode = Path("/proc/locks").read_text(), lock.stat().st_ino
        except OSError:
            return None
        for line in held.splitlines():
            match line.split():
                # Some file systems have another device in this list than in what `stat` says.
                case [_, "FLOCK", _, _, process, place, *_] if place.endswith(f":{inode}"):
                    return int(process)
        return None

    def disk(self, path: Path) -> int | None:
        try:
            return path.stat().st_dev
        except OSError:
            return None

    def clock_is_kept(self) -> bool | None:
        """The kernel knows, whichever program keeps the clock. Some containers may not ask it."""
        adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
        state = -1 if adjtimex is None else int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
        return None if state < 0 else state != _TIME_ERROR

    def user_name(self, user: int) -> str:
        try:
            return pwd.getpwuid(user).pw_name
        except KeyError:
            return str(user)

    def get(self, url: str, ca_file: Path | None) -> ServerAnswer:
        parts = urlsplit(url)
        connection = (
            http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
            if parts.scheme == "http"
            else http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=tls_context(ca_file))
        )
        try:
            connection.connect()
            shown = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
            connection.request("GET", parts.path)
            answer = connection.getresponse()
            return ServerAnswer(answer.status, answer.read(MAX_BODY), _end_of(shown))
        except ssl.SSLCertVerificationError as error:
            raise NoServerAnswer(f"its certificate is refused, {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoServerAnswer(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
        finally:
            connection.close()


def _end_of(certificate: object) -> int | None:
    match certificate:
        case {"notAfter": str(text)}:
            return int(ssl.cert_time_to_seconds(text)) * SECOND
    return None
