"""`signalpost documents act`, `actions` and `history`: the workflow of documents."""

from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, connect, path
from signalpost.cli.terminal.moments import Deadline
from signalpost.cli.terminal.output import Json, Limit, print_facts, print_json, print_table
from signalpost.domain.documents.workflow import ASKED_FOR

ExternalId = Annotated[str, Parameter(name="EXTERNAL-ID", help="The document's externalId.")]
OPTIONS = {
    "/action": "ACTION", "/reviewers": "--reviewer", "/approvers": "--approver", "/signers": "--signer",
    "/expiresAt": "--expires-at", "/by": "--by", "/reason": "--reason",
}  # fmt: skip


def act(
    external_id: ExternalId,
    action: Annotated[str, Parameter(name="ACTION", help=f"One of {', '.join(ASKED_FOR)}.")],
    /,
    *,
    reviewer: Annotated[list[str] | None, Parameter(negative="", help="A reviewer's e-mail; repeatable.")] = None,
    approver: Annotated[list[str] | None, Parameter(negative="", help="An approver's e-mail; repeatable.")] = None,
    signer: Annotated[list[str] | None, Parameter(negative="", help="A signer's e-mail; repeatable.")] = None,
    expires_at: Annotated[
        Deadline | None, Parameter(help="When the request expires: 14d (from now), 2026-11-24 or 2026-11-24T10:00:00Z.")
    ] = None,
    by: Annotated[str | None, Parameter(help="E-mail address of the person who decides.")] = None,
    reason: Annotated[str | None, Parameter(help="The reason for the decision.")] = None,
    as_json: Json = False,
) -> None:
    """Act on a document: request a decision, decide for one of the people asked, pause, resume or cancel.

    Example: signalpost documents act d24c0644-1d31-47fa-960e-b0cc8b4f136c requestReview --reviewer ann@example.com
    """
    said = {
        "action": action, "reviewers": reviewer, "approvers": approver, "signers": signer, "expiresAt": expires_at,
        "by": by, "reason": reason,
    }  # fmt: skip
    body = {name: value for name, value in said.items() if value is not None}
    client = connect(OPTIONS)
    document = client.call("POST", path("documents", external_id, "actions"), body=body).content
    if as_json:
        print_json(document)
    else:
        _show(client, external_id)


def actions(external_id: ExternalId, /, *, as_json: Json = False) -> None:
    """Show a document's place in its workflow: its status, the allowed actions and who has not decided yet.

    Example: signalpost documents actions d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    client = connect()
    if as_json:
        print_json(client.call("GET", path("documents", external_id, "actions")).content)
    else:
        _show(client, external_id)


def history(
    external_id: ExternalId,
    /,
    *,
    deleted: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show the history of a deleted document too.")
    ] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show who did what to a document and when, newest first.

    Example: signalpost documents history d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    query = {"deleted": "true"} if deleted else {}
    found = list(connect().pages(path("documents", external_id, "history"), query, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("at", "action", "status", "by", "key", "about", "event"),
        [_row(entry) for entry in found],
        "The history of this document is no longer kept.",
        cut=("about", "by", "key"),
    )


def _show(client: Client, external_id: str) -> None:
    now = client.call("GET", path("documents", external_id, "actions")).content
    decided = [f"{who['email']} ({who['decision']})" for who in now["participants"] if who["decision"] is not None]
    known = {
        "decided": decided, "awaited": now["awaited"], "expires": now["expiresAt"], "resumes as": now["statusBefore"]
    }  # fmt: skip
    print_facts(
        {
            "status": now["status"],
            **{name: value for name, value in known.items() if value},
            "allowed now": now["allowed"],
        }
    )


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    about = [*entry["participants"], entry["version"], entry["reason"]]
    expires = f"until {entry['expiresAt'][:19]}Z" if entry["expiresAt"] is not None else None
    event = entry["event"] or {}
    return (
        entry["at"], entry["action"], entry["status"], entry["by"], entry["key"],
        [part for part in (*about, expires) if part is not None], event.get("id"),
    )  # fmt: skip
