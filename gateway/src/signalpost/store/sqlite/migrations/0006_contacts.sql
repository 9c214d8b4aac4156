-- What the contacts of subscriptions were told by mail; see domain/operations/correspondence.py. The id is made of the
-- address, which is not here: it stands with the subscriptions alone.
CREATE TABLE correspondence (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,                 -- `operations`: an address may be a contact in several tenants
    opened_at INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,                  -- when the last mail began
    told_at INTEGER,                            -- when the last one began that was sent, or refused for good
    known BLOB NOT NULL,                        -- the trouble of subscriptions that was told and is not over, as JSON
    closed_at INTEGER                           -- written only to be removed
) STRICT;
