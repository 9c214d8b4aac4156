"""Coming from another system: what its API answers is imported, applied, and accepted by receivers that were made for
that system.

The answers in `answers/` have the form that the API descriptions of Svix 1.1, Convoy 26.3 and Outpost 1.2 say, and the
file format of `subscriptions import --save`.
"""
