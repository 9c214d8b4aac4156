"""The authorities that the tests, and the programs that they start, trust.

A TLS context that trusts what the machine does takes 30 ms to make, most of it to read some 140 authorities. Each
sender and each gateway makes one, and no test calls anything but loopback, by certificates that it made itself.
"""

import os
from pathlib import Path
from typing import Final

ONE_AUTHORITY: Final = Path(__file__).with_name("one_authority.pem")
"""The certificate of an authority whose key was not kept."""
_FILE, _KEPT = "SSL_CERT_FILE", "SSL_CERT_FILE_OF_MACHINE"


def trust_one_authority() -> None:
    """Trust one authority, in place of those of the machine, in this process and those that it starts."""
    os.environ.setdefault(_KEPT, os.environ.get(_FILE, ""))
    os.environ[_FILE] = str(ONE_AUTHORITY)


def environment_of_machine() -> dict[str, str]:
    """The environment as it was before: for programs that fetch packages."""
    environment = {name: value for name, value in os.environ.items() if name not in (_FILE, _KEPT)}
    if kept := os.environ.get(_KEPT, os.environ.get(_FILE)):
        environment[_FILE] = kept
    return environment
