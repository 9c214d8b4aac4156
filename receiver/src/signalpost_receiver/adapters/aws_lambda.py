"""AWS Lambda behind API Gateway (1.0 and 2.0), a function URL or a load balancer: `handler = webhook(receiver)`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from signalpost_receiver.adapters.answers import accepted, refused
from signalpost_receiver.errors import Refusal, UsageError
from signalpost_receiver.receiver import Receiver


def webhook(receiver: Receiver) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """A function that receives webhooks."""

    def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        # With headers of several values there are both; those of the one kind then have the last value alone.
        headers = event.get("multiValueHeaders") or event.get("headers") or {}
        try:
            answer = accepted(receiver.receive(_body(event), headers))
        except Refusal as refusal:
            answer = refused(refusal)
        # A load balancer that was told to send headers of several values wants them back in that form.
        shape = "multiValueHeaders" if "multiValueHeaders" in event else "headers"
        values = {name: [value] if shape == "multiValueHeaders" else value for name, value in answer.headers.items()}
        return {"statusCode": answer.status, shape: values, "body": answer.body, "isBase64Encoded": False}

    return handler


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not isinstance(text, str):
        raise UsageError("the event's body is not text: is it what API Gateway sends?")
    try:
        return base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except ValueError:
        raise UsageError("the event's body is neither base64 nor text that UTF-8 can encode") from None
