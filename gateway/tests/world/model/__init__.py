"""What should be delivered: a model that was written from the contract, the API page and the guides.

It is given what clients asked for, when each of it was answered, and what the log says. For each subscription and event
it says whether a request must be made, must not be made (and which sentence of the documentation says so), or may be
either, because something was under way. It knows nothing of how the gateway works, and imports nothing of it: what it
says can only agree with the gateway if both keep to the same text.

- `sayings`: the sentences that it goes by.
- `conditions`: whether an event meets a condition.
- `documents`: what changes, imports and deletions make of a document.
- `wishes`: subscriptions as their owners know them, and what was asked to be sent again.
- `old_signatures`: what another system's headers have.
- `log`: events, as the log shows them.
- `verdicts`: what may, must and must not be sent.
- `reading`: what may, must and must not be handed out to the readers of a subscription.
"""
