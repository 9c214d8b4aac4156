-- Programs that feed a tenant, and what each said last; see domain/source.py.
CREATE TABLE source (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    oldest_seconds INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL,
    deleted_at INTEGER                    -- written only to be removed
) STRICT;
CREATE UNIQUE INDEX source_name ON source (tenant_id, name) WHERE deleted_at IS NULL;
