"""The calls of SQS that a source needs, in its JSON protocol."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec

from signalpost_client.transport import tls_context
from signalpost_connect.source import SourceAway
from signalpost_connect.sqs.signature import Credentials, signed

TIMEOUT_SECONDS: Final = 30.0
Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class SqsCalls:
    """Calls one endpoint of SQS."""

    def __init__(self, endpoint: str, region: str, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, verify=tls_context())

    async def call(self, action: str, members: dict[str, Any]) -> dict[str, Any]:
        """What an action answers. Raises SourceAway."""
        body = msgspec.json.encode(members)
        about = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
        headers = signed(self._endpoint, about, body, self._region, self._credentials, datetime.now(UTC))
        try:
            response = await self._http.post(self._endpoint, content=body, headers=headers)
        except httpx.RequestError as error:
            raise SourceAway(f"SQS did not answer ({type(error).__name__}).") from None
        try:
            answer = msgspec.json.decode(response.content or b"{}", type=dict[str, Any])
        except msgspec.MsgspecError:
            answer = {}
        if response.status_code != 200:
            raise SourceAway(f"SQS answered {action} with {response.status_code} {_reason(answer)}")
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _reason(answer: dict[str, Any]) -> str:
    kind = str(answer.get("__type", "")).rpartition("#")[2]
    return f"{kind}: {answer.get('message') or answer.get('Message') or 'it says no more.'}"
