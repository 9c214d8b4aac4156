"""`signalpost documents act`, `actions` and `history`: the workflow of documents."""

from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, connect, path
from signalpost.cli.terminal.moments import Deadline
from signalpost.cli.terminal.options import Limit, Sets, flag, given, repeatable
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Facts, ShownTable
from signalpost.domain.documents.workflow import ASKED_FOR

ExternalId = Annotated[str, Parameter(name="EXTERNAL-ID", help="The document's externalId.")]


def act(
    external_id: ExternalId,
    action: Annotated[str, Parameter(name="ACTION", help=f"One of {', '.join(ASKED_FOR)}."), Sets("/action")],
    /,
    *,
    reviewer: Annotated[list[str] | None, repeatable("A reviewer's e-mail; repeatable."), Sets("/reviewers")] = None,
    approver: Annotated[list[str] | None, repeatable("An approver's e-mail; repeatable."), Sets("/approvers")] = None,
    signer: Annotated[list[str] | None, repeatable("A signer's e-mail; repeatable."), Sets("/signers")] = None,
    expires_at: Annotated[
        Deadline | None,
        Parameter(help="When the request expires: 14d (from now), 2026-11-24 or 2026-11-24T10:00:00Z."),
        Sets("/expiresAt"),
    ] = None,
    by: Annotated[str | None, Parameter(help="E-mail address of the person who decides."), Sets("/by")] = None,
    reason: Annotated[str | None, Parameter(help="The reason for the decision."), Sets("/reason")] = None,
    out: Output = TEXT,
) -> None:
    """Act on a document: request a decision, decide for one of the people asked, pause, resume or cancel.

    Example: signalpost documents act d24c0644-1d31-47fa-960e-b0cc8b4f136c requestReview --reviewer ann@example.com
    """
    body = given(
        action=action, reviewers=reviewer, approvers=approver, signers=signer, expiresAt=expires_at, by=by,
        reason=reason,
    )  # fmt: skip
    client = connect()
    document = client.call("POST", path("documents", external_id, "actions"), body=body).content
    out.show(document, _place_now(client, external_id))


def actions(external_id: ExternalId, /, *, out: Output = TEXT) -> None:
    """Show a document's place in its workflow: its status, the allowed actions and who has not decided yet.

    Example: signalpost documents actions d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    found = _actions(connect(), external_id)
    out.show(found, _place(found))


def history(
    external_id: ExternalId,
    /,
    *,
    deleted: Annotated[bool, flag("Show the history of a deleted document too.")] = False,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """Show who did what to a document and when, newest first.

    Example: signalpost documents history d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    query = {"deleted": "true"} if deleted else {}
    found = list(connect().pages(path("documents", external_id, "history"), query, limit))
    out.show(
        found,
        ShownTable(
            ("at", "action", "status", "by", "key", "about", "event"),
            [_row(entry) for entry in found],
            "The history of this document is no longer kept.",
            cut=("about", "by", "key"),
        ),
    )


def _actions(client: Client, external_id: str) -> Any:
    return client.call("GET", path("documents", external_id, "actions")).content


def _place_now(client: Client, external_id: str) -> Parts:
    yield _place(_actions(client, external_id))


def _place(now: dict[str, Any]) -> Facts:
    decided = [f"{who['email']} ({who['decision']})" for who in now["participants"] if who["decision"] is not None]
    known = {
        "decided": decided, "awaited": now["awaited"], "expires": now["expiresAt"], "resumes as": now["statusBefore"]
    }  # fmt: skip
    shown = {name: value for name, value in known.items() if value}
    return Facts({"status": now["status"], **shown, "allowed now": now["allowed"]})


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    about = [*entry["participants"], entry["version"], entry["reason"]]
    expires = f"until {entry['expiresAt'][:19]}Z" if entry["expiresAt"] is not None else None
    event = entry["event"] or {}
    return (
        entry["at"], entry["action"], entry["status"], entry["by"], entry["key"],
        [part for part in (*about, expires) if part is not None], event.get("id"),
    )  # fmt: skip
