"""ASGI as the listener and the API share it, with the two extensions that they agree on."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ARRIVED: Final = "signalpost.arrived"
"""Scope key: a function that tells whether the whole request has been received. Absent under other servers."""
REFUSAL: Final = "signalpost.refusal"
"""Scope key: the error for which the listener refused the request. The application answers with that error."""
