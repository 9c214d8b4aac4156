-- What lists filter by, as columns and indexes of their own.

-- The number is the order of creation. What is filtered by stands before the body, so that no filter reads through it;
-- a tombstone has none of it, and is in no index of a list.
CREATE TABLE document_listed (
    number INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    external_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    source_version INTEGER,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    type TEXT,
    status TEXT,
    reference_id TEXT,
    owner_email TEXT,
    body BLOB NOT NULL,
    UNIQUE (tenant_id, external_id)
) STRICT;
INSERT INTO document_listed
SELECT
    number, tenant_id, external_id, version, source_version, updated_at, deleted_at,
    json ->> '$.type', json ->> '$.status', json ->> '$.referenceId', json ->> '$.ownerEmail', body
FROM (SELECT rowid AS number, *, iif(deleted_at IS NULL, CAST(body AS TEXT), '{}') AS json FROM document)
ORDER BY number;
DROP TABLE document;
ALTER TABLE document_listed RENAME TO document;
CREATE INDEX document_live ON document (tenant_id) WHERE deleted_at IS NULL;
CREATE INDEX document_reference ON document (tenant_id, reference_id)
    WHERE reference_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX document_owner ON document (tenant_id, owner_email) WHERE deleted_at IS NULL;
CREATE INDEX document_status ON document (tenant_id, status) WHERE deleted_at IS NULL;
CREATE INDEX document_type ON document (tenant_id, type) WHERE deleted_at IS NULL;

-- A document's events of one tenant, with the types to choose from.
DROP INDEX event_document;
CREATE INDEX event_document ON event (tenant_id, document_id, sequence, type);

-- Deleted subscriptions are in no list, and are found at once by what removes them.
DROP INDEX subscription_tenant;
CREATE INDEX subscription_live ON subscription (tenant_id, number) WHERE deleted_at IS NULL;
CREATE INDEX subscription_deleted ON subscription (number) WHERE deleted_at IS NOT NULL;

-- Exception rows by state, newest first: of one subscription and of a whole tenant.
CREATE TABLE delivery_listed (
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    state INTEGER NOT NULL,
    due INTEGER NOT NULL,
    charged INTEGER NOT NULL,
    budget INTEGER NOT NULL,
    run INTEGER NOT NULL,
    resume_at INTEGER,
    PRIMARY KEY (subscription_number, sequence)
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_listed
SELECT s.tenant_id, d.* FROM delivery d JOIN subscription s ON s.number = d.subscription_number
ORDER BY d.subscription_number, d.sequence;
DROP TABLE delivery;
ALTER TABLE delivery_listed RENAME TO delivery;
CREATE INDEX delivery_parked ON delivery (subscription_number, due) WHERE state = 1;
CREATE INDEX delivery_state ON delivery (subscription_number, state, sequence);
CREATE INDEX delivery_tenant_state ON delivery (tenant_id, state, sequence, subscription_number);
