"""`signalpost sign` and `signalpost verify`: the signatures of a body on standard input, and files of evidence."""

import json
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.terminal.given_secret import GivenSecret, GivenSecrets, the_secret, the_secrets
from signalpost.cli.terminal.options import repeatable
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Line
from signalpost.domain.event import event_id
from signalpost.domain.signature_check import SIGNATURES, CheckedSignature, check_signatures
from signalpost.runtime.clock import wall_clock
from signalpost_receiver.sign import (
    PAGE_SIGNATURE,
    STANDARD_ID,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    Signer,
)

MAX_ID_CHARACTERS = 256


def sign(
    *,
    secret: GivenSecret = None,
    id_: Annotated[
        str | None, Parameter(name="--id", help="The webhook-id. [the body's id; a new one if it has none]")
    ] = None,
    timestamp: Annotated[int | None, Parameter(help="The webhook-timestamp, in seconds since the epoch. [now]")] = None,
    out: Output = TEXT,
) -> None:
    signer, body = Signer(the_secret(secret)), sys.stdin.buffer.read()
    identity = _id_of(body) if id_ is None else id_
    if not (identity.isascii() and identity.isprintable() and 0 < len(identity) <= MAX_ID_CHARACTERS):
        raise Misuse(f"--id must be 1 to {MAX_ID_CHARACTERS} printable ASCII characters.")
    at = int(time.time()) if timestamp is None else timestamp
    headers = {
        "content-type": "application/json",
        PAGE_SIGNATURE: signer.page_signature(body),
        STANDARD_ID: identity,
        STANDARD_TIMESTAMP: str(at),
        STANDARD_SIGNATURE: signer.standard_signature(identity, at, body),
    }
    out.show(headers, *(f"{name}: {value}" for name, value in headers.items()))


def verify(
    file: Annotated[
        Path | None,
        Parameter(name="FILE", help="Evidence of a delivery, as `signalpost deliveries evidence` writes it."),
    ] = None,
    /,
    *,
    keys: Annotated[
        Path | None,
        Parameter(help="With FILE: the gateway's keys, as `signalpost deliveries evidence-keys` writes them."),
    ] = None,
    secret: GivenSecrets = None,
    signature: Annotated[str | None, Parameter(help=f"The value of {PAGE_SIGNATURE}.")] = None,
    header: Annotated[
        list[str] | None,
        repeatable("A header of the request, 'name: value'; repeatable.", "--header"),
    ] = None,
    out: Output = TEXT,
) -> None:
    if file is not None:
        from signalpost.cli.commands.evidence import show_proven  # cryptography takes its time to load

        if secret or signature is not None or header:
            raise Misuse("A file of evidence has its own signature. Leave out --secret, --signature and --header.")
        show_proven(file, keys, out)
        return
    if keys is not None:
        raise Misuse("--keys goes with a file of evidence: signalpost verify evidence.json --keys keys.json")
    chosen, headers = the_secrets(secret), _headers(header or ())
    if signature is not None:
        headers[PAGE_SIGNATURE] = signature.strip()
    if not any(name in headers for name in SIGNATURES):
        raise Misuse(f"Give a signature: --signature, or --header '{STANDARD_SIGNATURE}: …'")
    checked = check_signatures(sys.stdin.buffer.read(), headers, chosen, time.time())
    genuine = any(each.fits for each in checked)
    out.show({"genuine": genuine, "signatures": msgspec.to_builtins(checked)}, _told(checked))
    if not genuine:
        raise CommandError("The request is not genuine: no signature matches its body and the secret.")


def _told(checked: Iterable[CheckedSignature]) -> Parts:
    for each in checked:
        yield Line("fits" if each.fits else "does not fit", each.header)
        yield f"  {each.detail}"


def _id_of(body: bytes) -> str:
    try:
        found = json.loads(body)["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = None
    return found if isinstance(found, str) else event_id(wall_clock(), secrets.randbits(62))


def _headers(lines: list[str] | tuple[()]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator:
            raise Misuse(f"Write --header 'name: value', not {line}")
        headers[name.strip().lower()] = value.strip()
    return headers
