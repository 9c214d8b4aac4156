"""A later version of `signalpost`: it has one migration more. A program of its own: `next_version.py serve …`."""

from signalpost.store.migration import Migration
from signalpost.store.postgres import schema

LATER = Migration(
    schema.MIGRATIONS[-1].number + 1,
    "later",
    "ALTER TABLE document ADD COLUMN later bigint; ALTER TABLE lane ADD COLUMN later text NOT NULL DEFAULT '';"
    "ALTER TABLE event ADD COLUMN later text; CREATE INDEX later ON subscription (tenant_id, number);",
    1,
)
schema.MIGRATIONS = (*schema.MIGRATIONS, LATER)
schema.migrate.__defaults__ = (schema.MIGRATIONS,)

if __name__ == "__main__":
    from signalpost.cli.main import main

    main()
