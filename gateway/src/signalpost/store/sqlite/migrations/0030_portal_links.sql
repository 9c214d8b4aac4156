-- breaks_before: 29
-- Links with which customers get at their own subscriptions. They are removed once they have ended.

CREATE TABLE portal_link (
    number INTEGER PRIMARY KEY,           -- from the same sequence as the numbers of API keys
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,            -- SHA-256 of the token
    maker_kind TEXT NOT NULL,             -- what it is worth no more than: key, member
    maker_id TEXT NOT NULL,
    maker_proof BLOB NOT NULL,            -- what must be true of that still
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    opened_at INTEGER,
    revoked_at INTEGER,
    terms BLOB NOT NULL                   -- JSON: whom it is for, and what it allows
) STRICT;
CREATE INDEX portal_link_tenant ON portal_link (tenant_id, number);
CREATE INDEX portal_link_ends ON portal_link (ends_at);
