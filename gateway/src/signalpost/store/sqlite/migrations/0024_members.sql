-- breaks_before: 23
-- People of the operator's team and of tenants. A removed one stays, without e-mail address and password, so that what they
-- did can be told.

CREATE TABLE member (
    number INTEGER PRIMARY KEY,           -- from the same sequence as the numbers of API keys
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,                  -- in lower case
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,                      -- the name of whoever invited them
    password TEXT,                        -- argon2id; null while they are invited
    generation INTEGER NOT NULL,          -- sessions of another one have ended
    invitation BLOB UNIQUE,               -- SHA-256 of its token
    invited_until INTEGER,
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX member_email ON member (email) WHERE removed_at IS NULL;
