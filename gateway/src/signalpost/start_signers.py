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
    data_keys = store.data_keys
    links.sign_with(await data_keys.signing(LINKS))
    [contacts, *_] = await data_keys.signing(CONTACTS)
    return Signers(
        links=links,
        tickets=Tickets(await data_keys.signing(CONSENTS)),
        unsubscribe_links=UnsubscribeLinks(
            await data_keys.signing(UNSUBSCRIBING), ContactIds(contacts.secret), links_url
        ),
        evidence=EvidenceSigner(await data_keys.signing(EVIDENCE)),
    )
