"""The stream that tells open pages what changed: the API's, for as long as a person is signed in."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace

from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.console import ROOT
from signalpost.console.browser import session_token
from signalpost.console.calls import CallFailed, Calls
from signalpost.console.replies import Replies
from signalpost.console.sign_in import SignIn
from signalpost.domain.errors import Unavailable

PATH: Final = re.compile(rf"{ROOT}/t/([^/]+)/live")
CHECKED_EVERY: Final = 4.0
"""Seconds between two looks at whether the session has ended."""


class Live:
    def __init__(self, sign_in: SignIn, replies: Replies) -> None:
        self._sign_in = sign_in
        self._replies = replies

    async def answer(self, request: Request, calls: Calls) -> Response | StreamedResponse:
        if request.method != "GET":
            return self._replies.error(405, "This cannot be done here", "What changes is followed with GET.")
        try:
            answer = await calls.stream("follow_changes", request.head.query)
        except CallFailed as refusal:
            return self._replies.error(refusal.problem.status, refusal.problem.title, refusal.problem.detail)
        if isinstance(answer, Response):
            return answer
        return replace(answer, parts=self._while_signed_in(answer.parts, session_token(request) or ""))

    async def _while_signed_in(self, parts: AsyncGenerator[bytes, None], token: str) -> AsyncGenerator[bytes, None]:
        checked = time.monotonic()
        async with aclosing(parts):
            async for part in parts:
                if time.monotonic() - checked >= CHECKED_EVERY:
                    checked = time.monotonic()
                    if not await self._is_signed_in(token):
                        return
                yield part

    async def _is_signed_in(self, token: str) -> bool:
        """Whether the session is still valid. If that cannot be checked now, it is checked again later."""
        try:
            return await self._sign_in.is_signed_in(token)
        except Unavailable:
            return True
