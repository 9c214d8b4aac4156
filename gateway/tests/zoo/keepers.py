"""Keeps the zoo: an endpoint for each behaviour, the TLS that some of them have, and requests to them."""

import datetime
import json
import os
import ssl
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from gateway.tests.sender.endpoint import Endpoint, Peer, Script, Turns
from gateway.tests.zoo.behaviours import BEHAVIOURS, Behaviour, Times

from signalpost.domain.request import OutgoingRequest, Target

HOST = "localhost"


class Zoo:
    """Open from its making until `close`."""

    def __init__(self, times: Times, ca_file: Path, behaviours: Sequence[Behaviour] = BEHAVIOURS) -> None:
        """Writes the authority to trust into `ca_file`."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca_file)
        contexts = _contexts(authority)
        self.endpoints = {
            behaviour.name: Endpoint(
                _script(behaviour, times), turns=Turns(), tls=contexts.get(behaviour.tls or ""), host="127.0.0.1"
            )
            for behaviour in behaviours
        }

    @property
    def ports(self) -> dict[str, int]:
        return {name: endpoint.port for name, endpoint in self.endpoints.items()}

    def close(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def request_to(behaviour: Behaviour, port: int, nonce: int) -> OutgoingRequest:
    body = behaviour.body
    head = f"POST / HTTP/1.1\r\nhost: {HOST}\r\nnonce: {nonce}\r\ncontent-length: {len(body)}\r\n\r\n"
    return OutgoingRequest(Target("https" if behaviour.secure else "http", HOST, port), head.encode(), body)


def allowed(ports: Mapping[str, int]) -> str:
    """What `ALLOW_TARGETS` has to say."""
    return ",".join(f"{scheme}://{HOST}:{port}" for port in ports.values() for scheme in ("http", "https"))


def _script(behaviour: Behaviour, times: Times) -> Script:
    def script(peer: Peer) -> None:
        behaviour.play(peer, times)

    return script


def _contexts(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    unknown = trustme.CA()
    contexts = {
        "good": _context(authority.issue_cert(HOST)),
        "h2": _context(authority.issue_cert(HOST)),
        "expired": _context(authority.issue_cert(HOST, not_before=now - 3 * day, not_after=now - day)),
        "not yet": _context(authority.issue_cert(HOST, not_before=now + day, not_after=now + 3 * day)),
        "wrong host": _context(authority.issue_cert("elsewhere.example")),
        "unknown": _context(unknown.issue_cert(HOST)),
        "self-signed": _self_signed(unknown),
        "old": _context(authority.issue_cert(HOST)),
        "cipher": _context(authority.issue_cert(HOST)),
        "client": _context(authority.issue_cert(HOST)),
    }
    contexts["h2"].set_alpn_protocols(["h2"])
    contexts["old"].set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python says that it is old
        warnings.simplefilter("ignore", DeprecationWarning)
        contexts["old"].minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        contexts["old"].maximum_version = ssl.TLSVersion.TLSv1_1
    contexts["cipher"].maximum_version = ssl.TLSVersion.TLSv1_2
    contexts["cipher"].set_ciphers("AES256-SHA:@SECLEVEL=0")
    contexts["client"].verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(contexts["client"])
    return contexts


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _self_signed(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as certificate, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def main(timeout: str, margin: str, ca_file: str) -> None:
    """Keep a zoo, as a process, until nothing more comes in; the ports go out first."""
    with Zoo(Times(float(timeout), float(margin)), Path(ca_file)) as zoo:
        print(json.dumps(zoo.ports), flush=True)
        sys.stdin.read()
        os._exit(0)  # plays that are under way need not come to their ends


if __name__ == "__main__":
    main(*sys.argv[1:])
