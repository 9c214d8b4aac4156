-- breaks_before: 1
-- Sessions of people in a browser, and the links that sign somebody in once. Both are kept as hashes of their tokens, and
-- found by these alone, whichever tenant they are for.

CREATE TABLE session (
    hash bytea PRIMARY KEY,                     -- SHA-256 of the token
    purpose text NOT NULL,                      -- what it is good for: console, portal
    ground_kind text NOT NULL,                  -- what it came from: key, portal-link
    ground_id text NOT NULL,
    proof bytea NOT NULL,                       -- what must be true of that still
    began_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    proved_at bigint NOT NULL,                     -- when its holder last showed a key or a password
    used_at bigint NOT NULL                     -- written about once a minute
);
CREATE INDEX session_ground ON session (ground_kind, ground_id, began_at);
CREATE INDEX session_used ON session (used_at);

CREATE TABLE sign_in_link (
    hash bytea PRIMARY KEY,                     -- SHA-256 of the token
    purpose text NOT NULL,
    ground_kind text NOT NULL,
    ground_id text NOT NULL,
    proof bytea NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX sign_in_link_ground ON sign_in_link (ground_kind, ground_id, purpose, expires_at);
CREATE INDEX sign_in_link_expires ON sign_in_link (expires_at);
