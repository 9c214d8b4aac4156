"""Tells an operator who has access after a restore."""

from collections.abc import Iterable

from signalpost.cli.terminal.plain import say
from signalpost.store.database import AccessTaken


def show(access: AccessTaken | None) -> None:
    if access is None:
        say("Access is as in the backup: keys and secrets revoked or replaced since then work again.")
    elif access.is_known:
        _show_taken(access)
    else:
        _show_unknown(access)


def _show_taken(access: AccessTaken) -> None:
    _name("Keys that stay revoked", access.keys_revoked)
    _name("Keys created since then, which keep working", access.keys_made)
    _name("Tenants that stay paused", access.tenants_paused)
    _name("Tenants that stay deleted", access.tenants_deleted)
    if not access.secrets_taken:
        say("The replaced database is another version's: secrets and tokens are as the backup has them.")
        return
    say(
        f"Changed since then, and kept as they are now: {access.subscriptions:,} subscriptions and "
        f"{access.connections:,} "
        "connections, with their secrets."
    )
    _name("Deleted since, and restored as paused or broken; resume, connect or delete them", access.stopped)


def _show_unknown(access: AccessTaken) -> None:
    say("There was no database that shows which keys were revoked and which secrets were replaced since the backup.")
    _name("Keys that are revoked for that reason", access.keys_revoked)
    say("Secrets are as the backup has them. Create new keys, or restore access from the backup: --access-from-backup")


def _name(what: str, names: Iterable[str]) -> None:
    if shown := ", ".join(names):
        say(f"{what}: {shown}.")
