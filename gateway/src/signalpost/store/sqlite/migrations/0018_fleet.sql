-- breaks_before: 17
-- The fleet: the nodes at work on the database, and which lanes and jobs they own. A database in SQLite has one node.

CREATE TABLE fleet (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    last_node INTEGER NOT NULL,           -- the highest number that was given to a node
    keys_version INTEGER NOT NULL         -- rises with every API key that is made or revoked
) STRICT;
INSERT INTO fleet VALUES (1, 0, 0);

CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    beat INTEGER NOT NULL,
    at INTEGER NOT NULL,                  -- when it beat last, for people
    role TEXT NOT NULL,
    program TEXT NOT NULL                 -- its version, for people
) STRICT;

CREATE TABLE job (
    name TEXT PRIMARY KEY,
    owner INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE lane ADD COLUMN owner INTEGER;                               -- the node; null where nobody owns it
ALTER TABLE tenant ADD COLUMN config_version INTEGER NOT NULL DEFAULT 0; -- rises with what nodes keep in memory
ALTER TABLE tenant ADD COLUMN next_floor INTEGER NOT NULL DEFAULT 0;     -- what is below is about to be removed
