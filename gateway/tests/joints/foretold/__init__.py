"""Whether a rehearsal foretells what happens. The same history is lived through twice: with a subscription as it is,
which is then asked what a change would have sent, and with one that was as the change has it from the beginning.

All goes well in these worlds, so what is sent follows from the subscription alone. In the end a rehearsal's `now`,
`then`, `both`, `more`, `less` and `cannot` are compared, event by event, with what the endpoint and the vendor got in
one life and in the other. In the first life the change is also made: a new subscription that begins in the past must
get what the rehearsal of its draft said, and a replay of the rehearsal exactly `more`.

Drawn are documents that are imported, changed, deleted, erased and imported again; webhooks, connectors whose texts do
not fit every document, and kinds of which the last event counts; types, which change meanwhile; conditions, also about
changes; delays with and without `after.if`; a retention that removes a part; several nodes, each of which is asked; and
a restart.

`drawn.py` says what a seed stands for, `lives.py` lets it happen, and `comparison.py` compares.
"""
