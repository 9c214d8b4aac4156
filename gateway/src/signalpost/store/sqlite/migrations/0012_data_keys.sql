-- Keys that seal secrets and sign links, each wrapped by a master key. Earlier versions could not open what they seal.

CREATE TABLE data_key (
    number INTEGER PRIMARY KEY,           -- drawn at random; sealed values carry it
    purpose TEXT NOT NULL,
    tenant_id INTEGER NOT NULL,           -- 0: the gateway's own, which sign
    master_key TEXT NOT NULL,             -- the id of the one that wraps it
    wrapped BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    retired_at INTEGER,                   -- from then on it seals and signs no more
    seals INTEGER NOT NULL DEFAULT 0      -- how many values it may have sealed, set aside in blocks
) STRICT;
CREATE INDEX data_key_tenant ON data_key (tenant_id, purpose);
