-- What is wrong now and lasted long enough to be told; see domain/operations/conditions.py. Its notices are events of a
-- tenant of its own, which keeps them for 90 days. A tenant that has its name already gets another one.
CREATE TABLE condition (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,                 -- `operations` for what is about no other tenant
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,                      -- what it is about: an id, or the name of a machine
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    severity INTEGER NOT NULL,
    since INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    told_at INTEGER,                            -- null until people were told; 0 if they are to be told again
    absent_since INTEGER,
    muted_until INTEGER,
    closed_at INTEGER                           -- written only to be removed
) STRICT;
CREATE INDEX condition_tenant ON condition (tenant_id);
UPDATE tenant SET name = 'operations-' || id WHERE name = 'operations';
INSERT INTO tenant (id, name, retention_days) VALUES (-2, 'operations', 90);
