-- Erasures. Earlier versions would send to endpoints what an erasure leaves of an event.

CREATE TABLE erasure (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    tenant TEXT NOT NULL,                 -- its name
    document_id BLOB,                     -- null for the whole tenant
    asked_at INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    removed INTEGER NOT NULL,             -- rows and files
    finished_at INTEGER
) STRICT;
CREATE INDEX erasure_pending ON erasure (number) WHERE finished_at IS NULL;

-- Tenants that were deleted before had nothing live, but tombstones and a part of their logs may be left.
INSERT INTO erasure (id, tenant_id, tenant, asked_at, to_sequence, removed)
SELECT randomblob(16), id, name, deleted_at, last_sequence, 0 FROM tenant WHERE deleted_at IS NOT NULL;
