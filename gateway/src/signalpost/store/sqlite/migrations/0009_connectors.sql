-- What conditions, connections and connectors keep. Earlier versions would post to a connector's address as to a webhook's.

-- The former values of the attributes that an event changed, as a JSON object; null where none did.
ALTER TABLE event ADD COLUMN before BLOB;

-- How the gateway is let in at a vendor. A new token moves `grant_version` alone.
CREATE TABLE connection (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    deleted_at INTEGER,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    config BLOB NOT NULL,                 -- sealed
    granted BLOB,                         -- sealed
    grant_version INTEGER NOT NULL
) STRICT;
CREATE INDEX connection_live ON connection (tenant_id, number) WHERE deleted_at IS NULL;
CREATE INDEX connection_deleted ON connection (number) WHERE deleted_at IS NOT NULL;

-- The subscriptions of a connection are found by its id.
ALTER TABLE subscription ADD COLUMN connection_id BLOB;
CREATE INDEX subscription_connection ON subscription (connection_id)
    WHERE connection_id IS NOT NULL AND deleted_at IS NULL;

-- What a subscription's deliveries for a document said they made: ids, links.
CREATE TABLE made (
    subscription_number INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    made BLOB NOT NULL,
    PRIMARY KEY (subscription_number, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX made_document ON made (document_id);

-- Settled deliveries for which nothing was sent.
CREATE INDEX attempt_skipped ON attempt (tenant_id, sequence, subscription_number) WHERE failure = 'skipped';
