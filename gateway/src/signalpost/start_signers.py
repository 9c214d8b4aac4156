"""What signs all that the gateway hands out and has to know again: each with data keys of its own purpose."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from signalpost.domain.access.consent import Tickets
from signalpost.domain.contacts import ContactIds
from signalpost.domain.documents.links import Links
from signalpost.domain.evidence import EvidenceSigner
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.store.store import Store
from signalpost.store.vault import CONSENTS, CONTACTS, EVIDENCE, LINKS, UNSUBSCRIBING


class Signers(NamedTuple):
    links: Links
    tickets: Tickets
    unsubscribe_links: UnsubscribeLinks
    evidence: EvidenceSigner

    @property
    def sign_with(self) -> Mapping[str, Callable[[Sequence[SigningKey]], None]]:
        """Tells each, by purpose, with which keys it signs from now on."""
        return {
            LINKS: self.links.sign_with,
            CONSENTS: self.tickets.sign_with,
            UNSUBSCRIBING: self.unsubscribe_links.sign_with,
            EVIDENCE: self.evidence.sign_with,
        }


async def open_signers(store: Store, links: Links, links_url: str) -> Signers:
    """All that signs. `links` is what the store was opened with; it signs with keys of the store from now on."""
    keys = await store.data_keys.signing()
    links.sign_with(keys[LINKS])
    return Signers(
        links=links,
        tickets=Tickets(keys[CONSENTS]),
        unsubscribe_links=UnsubscribeLinks(keys[UNSUBSCRIBING], ContactIds(keys[CONTACTS][0].secret), links_url),
        evidence=EvidenceSigner(keys[EVIDENCE]),
    )
