-- breaks_before: 21
-- Sessions of people in a browser, and the links that sign somebody in once. Both are kept as hashes of their tokens.


CREATE TABLE session (
    hash BLOB PRIMARY KEY,                -- SHA-256 of the token
    purpose TEXT NOT NULL,                -- what it is good for: console, portal
    ground_kind TEXT NOT NULL,            -- what it came from: key, portal-link
    ground_id TEXT NOT NULL,
    proof BLOB NOT NULL,                  -- what must be true of that still
    began_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    proved_at INTEGER NOT NULL,              -- when its holder last showed a key or a password
    used_at INTEGER NOT NULL              -- written about once a minute
) STRICT, WITHOUT ROWID;
CREATE INDEX session_ground ON session (ground_kind, ground_id, began_at);
CREATE INDEX session_used ON session (used_at);

CREATE TABLE sign_in_link (
    hash BLOB PRIMARY KEY,                -- SHA-256 of the token
    purpose TEXT NOT NULL,
    ground_kind TEXT NOT NULL,
    ground_id TEXT NOT NULL,
    proof BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_link_ground ON sign_in_link (ground_kind, ground_id, purpose, expires_at);
CREATE INDEX sign_in_link_expires ON sign_in_link (expires_at);
