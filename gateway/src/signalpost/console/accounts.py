"""What members do for themselves: accept an invitation by choosing a password, and change it.

An invitation is only used by its form. Opening it shows whom it is for, however often, and changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from signalpost.api.guards.principals import Principal, principal_of
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.commands.command import Command, CompletedCommand
from signalpost.commands.members import AcceptInvitation, ChangePassword, PasswordSet
from signalpost.console import ROOT
from signalpost.console.credentials import Credentials, CredentialsRefused
from signalpost.console.replies import Form, Replies, given, see_other
from signalpost.console.sign_in import SignedIn, SignIn
from signalpost.domain.access.member import Member, password_fault
from signalpost.domain.access.sign_in import hash_token
from signalpost.domain.errors import CallerError, TooMany

Frame = Callable[[Request, SignedIn], Awaitable[dict[str, Any]]]
JOIN: Final = f"{ROOT}/join"
ACCOUNT: Final = f"{ROOT}/account"
_DONE: Final = {
    "changed": "The password is changed. Every other session has ended.",
    "ended": "That session has ended.",
}
_USED_UP: Final = "It works once, for three days. Ask an operator for another one."


class Accounts:
    def __init__(
        self, services: Services, replies: Replies, sign_in: SignIn, credentials: Credentials, frame: Frame
    ) -> None:
        """`frame` makes what is around the page of an account."""
        self._services = services
        self._replies = replies
        self._sign_in = sign_in
        self._credentials = credentials
        self._frame = frame

    async def answer(self, request: Request, path: str) -> tuple[str, Response] | None:
        """The answer of one of these pages, and which one it is; None if the path is none of these."""
        if path.startswith(f"{JOIN}/"):
            return JOIN, await self._join(request, path.removeprefix(f"{JOIN}/"))
        if path == ACCOUNT:
            return ACCOUNT, await self._account(request, await self._sign_in.who(request))
        return None

    async def _join(self, request: Request, token: str) -> Response:
        invitation, now = hash_token(token), self._services.clock.wall()
        member = await self._services.store.access.member_invited(invitation)
        if member is None or member.invited_until is None or member.invited_until <= now:
            return self._replies.error(410, "This invitation was used or has expired", _USED_UP)
        shown = {"member": member, "wrong": None}
        if request.method != "POST":
            return self._replies.page(200, "join.html", shown)
        try:
            hashed = await self._new_password(request, member.email)
            joined = await self._submit(
                request,
                principal_of(member),
                AcceptInvitation(
                    tenant_id=member.tenant_id, member_id=member.id, invitation=invitation, password=hashed
                ),
            )
        except CredentialsRefused as refused:
            return self._replies.page(refused.status, "join.html", {**shown, "wrong": refused.detail})
        source = request.source(self._services.installation.trusted_proxies)
        await self._services.sign_in_tries.know(joined.email, source)
        return await self._sign_in.begin(request, principal_of(joined), "invitation")

    async def _account(self, request: Request, signed_in: SignedIn) -> Response:
        principal = signed_in.principal
        member = await self._services.store.access.member(principal.id) if principal.kind == "member" else None
        shown = {
            **await self._frame(request, signed_in),
            "principal": principal,
            "member": member,
            "done": _DONE.get(dict(request.query()).get("done", "")),
            "session": signed_in.session,
            "others": await self._services.sessions.beside(signed_in.session),
        }
        form = await self._replies.form_of(request, self._sign_in.who) if request.method == "POST" else {}
        if "end" in form:
            await self._end_other(request, signed_in, given(form, "end"))
            return see_other(f"{ACCOUNT}?done=ended")
        if request.method != "POST" or member is None:
            return self._replies.page(200, "account.html", {**shown, "wrong": None})
        try:
            changed = await self._change(request, member, form)
        except CredentialsRefused as refused:
            return self._replies.page(refused.status, "account.html", {**shown, "wrong": refused.detail})
        began = await self._sign_in.begin(request, principal_of(changed), "password")
        return see_other(f"{ACCOUNT}?done=changed", *(line for line in began.headers if line[0] == "set-cookie"))

    async def _end_other(self, request: Request, signed_in: SignedIn, named: str) -> None:
        """End another session of the member who is signed in. It is no error if that session has already ended."""
        try:
            digest = bytes.fromhex(named)
        except ValueError:
            return
        if await self._services.sessions.end_one_beside(signed_in.session, digest):
            await self._credentials.tell(request, signed_in.principal, "session.end", which="another")

    async def _change(self, request: Request, member: Member, form: Form) -> Member:
        """Raises CredentialsRefused."""
        shown = await self._credentials.of_password(request, member.email, form.get("present", [""])[0])
        hashed = await self._hashed(form.get("password", [""])[0], member.email)
        command = ChangePassword(
            tenant_id=shown.tenant_id, member_id=shown.id, generation=shown.generation, password=hashed
        )
        return await self._submit(request, principal_of(shown), command)

    async def _new_password(self, request: Request, email: str) -> str:
        form = await self._replies.form(request)
        return await self._hashed(form.get("password", [""])[0], email)

    async def _hashed(self, password: str, email: str) -> str:
        """Raises CredentialsRefused if the password is no good."""
        fault = password_fault(password, email)
        if fault is not None:
            raise CredentialsRefused(422, fault)
        try:
            return await self._services.passwords.hash(password)
        except TooMany as too_many:
            raise CredentialsRefused(429, str(too_many)) from None

    async def _submit(self, request: Request, who: Principal, command: Command[PasswordSet]) -> Member:
        """Raises CredentialsRefused, Unavailable."""
        try:
            outcome = await self._services.engine.submit(command.asked_by(self._credentials.actor(request, who)))
        except CallerError as refused:
            raise CredentialsRefused(409, str(refused)) from None
        assert isinstance(outcome, CompletedCommand)  # it has no Idempotency-Key, so it is no repeat
        return outcome.result.member
