"""Worlds in which every part of the gateway meets the others, compared with a model of what should be delivered.

Clients ask the real API for everything that it can do, drawn from a seed: changes of documents, subscriptions with
conditions and delays, connectors, pauses, retries, replays, erasures. Meanwhile processes are killed, commits are slow,
receivers and a vendor fail. What was asked, what was answered and what was sent is compared with a model that was
written from the contract and the guides, and knows nothing of the gateway (`gateway/tests/world/model`).

- `plan`: what a world is like.
- `node`: one process with its API, and how a client calls it.
- `receivers`: endpoints and a vendor that fail as the plan says.
- `clients`, `documents`, `owners`, `shadows`, `old_signatures`, `key_pairs`, `reads`, `reader_secrets`,
  `endpoint_tokens`, `certificates`: what is asked for.
- `history`: what was asked and seen, as the model wants it.
- `joint_world`: lets it happen.
- `checkers/`: compare with the model, a file for each promise.
"""
