"""The secret that the local tools sign with: an option, or a variable that no list of processes shows."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import Misuse
from signalpost_receiver import ConfigError, Signer

VARIABLE = "SIGNALPOST_SECRET"
_HELP = "The subscription's secret. Other users can see options, so better set SIGNALPOST_SECRET."
GivenSecret = Annotated[str | None, Parameter(name="--secret", help=_HELP)]
GivenSecrets = Annotated[
    list[str] | None, Parameter(name="--secret", negative="", help=f"{_HELP} Repeatable, for a rotation.")
]


def the_secret(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The secret that was given. Raises Misuse if there is none, or nothing can be signed with it."""
    return the_secrets(None if given is None else [given], environment)[0]


def the_secrets(given: Sequence[str] | None, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The secrets that were given, at least one. Raises Misuse as `the_secret` does."""
    from_environment = environment.get(VARIABLE)
    secrets = list(given or ()) or ([from_environment] if from_environment else [])
    if not secrets:
        raise Misuse(f"Give the secret: set {VARIABLE}, or add --secret.")
    try:
        for secret in secrets:
            Signer(secret)
    except ConfigError as error:
        raise Misuse(f"The secret cannot be used: {error}.") from None
    return secrets
