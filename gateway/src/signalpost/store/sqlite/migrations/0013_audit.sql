-- The audit: who changed what. Earlier versions would change things without an entry.

CREATE TABLE audit (
    position INTEGER PRIMARY KEY,                     -- 1, 2, 3 … through the whole database
    tenant_id INTEGER NOT NULL,
    number INTEGER NOT NULL,                          -- 1, 2, 3 … of the tenant
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    object TEXT NOT NULL,
    content TEXT NOT NULL,                            -- JSON, of which the hash is made
    hash BLOB NOT NULL,
    proof BLOB NOT NULL                               -- HMAC of all of it and of the proof before
) STRICT;

CREATE UNIQUE INDEX audit_number ON audit (tenant_id, number);
CREATE INDEX audit_actor ON audit (tenant_id, actor, number);
CREATE INDEX audit_object ON audit (tenant_id, object, number);

-- Where each tenant's chain begins and ends, and as tenant 0 that of the whole database.
CREATE TABLE audit_end (
    tenant_id INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    before BLOB NOT NULL,
    last INTEGER NOT NULL,
    hash BLOB NOT NULL,
    tenants INTEGER NOT NULL,
    proof BLOB NOT NULL
) STRICT;

-- What a command did that opened the database itself, without the key for proofs: the next start makes entries of it.
CREATE TABLE audit_draft (
    number INTEGER PRIMARY KEY,
    draft BLOB NOT NULL
) STRICT;
