"""What the console answers: pages made of templates, redirects and errors; and the forms that browsers send it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextvars import ContextVar, copy_context
from typing import Any, Final
from urllib.parse import parse_qs

from jinja2 import Environment
from msgspec.structs import replace

from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.domain.errors import Unparseable
from signalpost.sharing.resting_turns import Rest, RestingTurns

MAX_FORM_BYTES: Final = 64 * 1024
FORM_SECONDS: Final = 5
"""How long a form may take to arrive."""
MOUNT: Final[ContextVar[str]] = ContextVar("mount", default="")
"""The path under which a program has mounted the gateway, for the request that is answered: what every path begins with
that a page leads to. Routes, and the pages that a visitor wants to go on to, are named without it."""
ZIPS: Final[ContextVar[bool]] = ContextVar("zips", default=False)
"""Whether the answer to the request that is answered may be compressed."""
MIN_ZIPPED: Final = 4_096
"""Bytes from which on a page is compressed: below, it fits into the packets that are sent anyway."""
PARTS_IN_A_ROW: Final = 32
"""Parts of a page after which the thread may rest: to draw them takes some 0.05 ms."""
_HTML: Final = (CONTENT_TYPE, "text/html; charset=utf-8")
Form = Mapping[str, list[str]]


class EarlyReply(Exception):
    """An answer that ends what was under way."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Replies:
    def __init__(
        self, templates: Environment, off_loop: Executor, turns: RestingTurns, error: str = "error.html"
    ) -> None:
        """Pages take these turns on the thread `off_loop`. `error` is the template of a page that says what went
        wrong."""
        self._templates = templates
        self._off_loop = off_loop
        self._turns = turns
        self._error = error

    def page(self, status: int, template: str, context: Mapping[str, Any]) -> Response:
        body = self._templates.get_template(template).render({"mount": MOUNT.get(), **context})
        return Response(status, body.encode("utf-8", "replace"), (_HTML,))

    async def full_page(self, status: int, template: str, context: Mapping[str, Any], tenant_id: int) -> Response:
        """A page that may have many rows, as it goes over the wire. To draw one takes milliseconds, in which the event
        loop delivers: a thread does it, in turns between tenants."""
        values, within, zips = {"mount": MOUNT.get(), **context}, copy_context(), ZIPS.get()

        def made(rest: Rest) -> Response:
            drawn = Response(status, within.run(self._draw, template, values, rest), (_HTML,))
            return _zipped(drawn) if zips and len(drawn.body) >= MIN_ZIPPED else drawn

        return await self._turns.run(tenant_id, self._off_loop, made)

    def _draw(self, template: str, context: Mapping[str, Any], rest: Rest) -> bytes:
        parts: list[str] = []
        for part in self._templates.get_template(template).generate(context):
            parts.append(part)
            if len(parts) % PARTS_IN_A_ROW == 0:
                rest()
        return "".join(parts).encode("utf-8", "replace")

    async def zipped(self, response: Response, tenant_id: int) -> Response:
        """Another response, as it goes over the wire to a browser that takes gzip."""
        return await self._turns.run(tenant_id, self._off_loop, lambda _: _zipped(response))

    def error(self, status: int, title: str, detail: str) -> Response:
        return self.page(status, self._error, {"title": title, "detail": detail})

    async def form(self, request: Request, arrived: bytes | None = None) -> Form:
        """The form that came with a request; `arrived` are its bytes if they were read. Raises EarlyReply if it cannot
        be read."""
        content, more = arrived or b"", arrived is None
        try:
            async with asyncio.timeout(FORM_SECONDS):
                while more:
                    part, more = await request.part()
                    content += part
                    if len(content) > MAX_FORM_BYTES:
                        raise self._too_much()
            if len(content) > MAX_FORM_BYTES:
                raise self._too_much()
            return parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1_000)
        except (Unparseable, TimeoutError, ValueError):
            raise EarlyReply(
                self.error(400, "Not a form", "The form did not arrive completely. Send it again.")
            ) from None

    def _too_much(self) -> EarlyReply:
        return EarlyReply(self.error(413, "Too much", "A form can have at most 64 KiB."))

    async def form_of(self, request: Request, who: Callable[[Request], Awaitable[object]]) -> Form:
        """The form of a visitor who is signed in, as `who` has said. It says so once more if the form took its time:
        they may not be in any more. Raises EarlyReply if that is so, or the form cannot be read."""
        content = request.body.whole()
        form = await self.form(request, content)
        if content is None:
            await who(request)
        return form


def _zipped(response: Response) -> Response:
    headers = (*response.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
    return replace(response, body=gzip.compress(response.body, 1, mtime=0), headers=headers)


def see_other(path: str, *headers: tuple[str, str]) -> Response:
    """To an own path, or to a URL elsewhere."""
    return Response(303, b"", (("location", MOUNT.get() + path if path.startswith("/") else path), *headers))


def given(form: Form, name: str) -> str:
    """What was typed into a field of a form; empty if nothing was."""
    return form.get(name, [""])[0].strip()
