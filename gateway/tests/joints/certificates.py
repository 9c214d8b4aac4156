"""Webhooks that offer a client certificate to their endpoints, another one, or none any more.

No connection of these worlds speaks TLS: what a request would offer is in its target, and that is compared."""

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import trustme
from cryptography import x509
from gateway.tests.joints.bound_to_endpoints import BoundToEndpoints
from gateway.tests.joints.history import Attempt
from gateway.tests.world.model import sayings
from gateway.tests.world.model.wishes import Wish
from gateway.tests.world.timeline import Timeline

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

KEPT = 6
"""How many certificates there are: more would take time to make."""


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _issued(number: int) -> dict[str, str]:
    """A certificate with its private key, as the API takes it."""
    made = _authority().issue_cert(f"client{number}.example")
    return {
        "certificate": "".join(each.bytes().decode() for each in made.cert_chain_pems),
        "privateKey": made.private_key_pem.bytes().decode(),
    }


@cache
def _name_in(pem: bytes) -> str:
    """The name in the first certificate of a chain."""
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return str(names.value.get_values_for_type(x509.DNSName)[0])


class Certificates(BoundToEndpoints):
    member = "clientCertificate"
    without = "offers no certificate"
    rule = sayings.CERTIFICATE

    def __init__(self, clients: "Clients") -> None:
        super().__init__(clients, "certificates", clients.world.plan.certificates)
        self._given_for: dict[tuple[str, str], set[str]] = {}
        """The origins for which each webhook was given each certificate."""

    def _of(self, wish: Wish) -> Timeline[str | None]:
        return wish.certificate

    def _new(self, wish: Wish) -> tuple[str, str, Any]:
        number = self._random.randrange(KEPT)
        return f"client{number}.example", f"offers-{number}", _issued(number)

    def _note_given(self, wish: Wish, name: str, host: str) -> None:
        self._given_for.setdefault((wish.name, name), set()).add(host)

    def check(self, attempt: Attempt, first: float) -> None:
        """A request offers the certificate of its webhook, as that was at some moment since the `first`, and to the
        origin that it was given for."""
        fail, name = self._world.fail, _name_in(attempt.certificate) if attempt.certificate else None
        wanted = attempt.wish.certificate.between(first, attempt.at)
        if name not in wanted:
            fail(sayings.CERTIFICATE.rule, f"{attempt} offers {name}, not one of {wanted}: {sayings.CERTIFICATE}")
        if name is not None and urlsplit(attempt.url).netloc not in self._origins(attempt.wish, name):
            what = f"{attempt} offers {name} to {attempt.url}"
            fail(sayings.CERTIFICATE_ELSEWHERE.rule, f"{what}: {sayings.CERTIFICATE_ELSEWHERE}")

    def _origins(self, wish: Wish, name: str) -> set[str]:
        """The origins for which this or, before a promotion, the other one of a shadow and its original was given
        it."""
        both = {wish.name, *self._clients.shadows.names_beside(wish)}
        return {origin for each in both for origin in self._given_for.get((each, name), ())}
