-- One log per tenant, one lane per subscription. Times are microseconds since the epoch; ids are 16 bytes.

CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 1      -- the lowest sequence that the retention keeps
) STRICT;
INSERT INTO tenant (name) VALUES ('default');

-- A deleted document stays as a tombstone (deleted_at set, body empty): its versions go on from there.
CREATE TABLE document (
    tenant_id INTEGER NOT NULL,
    external_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    source_version INTEGER,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    body BLOB NOT NULL,
    UNIQUE (tenant_id, external_id)
) STRICT;

-- The rowid order is commit order, so that appends touch one page whatever the number of tenants.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    id BLOB NOT NULL,
    type INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_log ON event (tenant_id, sequence);
CREATE INDEX event_document ON event (document_id, sequence);

CREATE TABLE idempotency (
    tenant_id INTEGER NOT NULL,
    api_key_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    answer BLOB NOT NULL,                 -- sealed: answers may show a secret
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, api_key_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- What the API writes of a subscription. Secret and header values are sealed inside `sealed`.
CREATE TABLE subscription (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    deleted_at INTEGER,
    config BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX subscription_tenant ON subscription (tenant_id, number);

-- What the lane's owner writes: it moves `version` on with every write, and writes only where it is still its own.
CREATE TABLE lane (
    subscription_number INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    head INTEGER NOT NULL,
    open BLOB NOT NULL,                   -- ascending sequences as variable-length differences
    gaps BLOB NOT NULL,                   -- [[first, last], …] that were never taken in
    health BLOB NOT NULL
) STRICT;

-- Exception rows: 1 parked, 2 blocked, 3 failed. Whatever has none, and is neither open nor above the head, is settled.
CREATE TABLE delivery (
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
CREATE INDEX delivery_parked ON delivery (subscription_number, due) WHERE state = 1;
CREATE INDEX delivery_blocked ON delivery (subscription_number, sequence) WHERE state = 2;
CREATE INDEX delivery_failed ON delivery (subscription_number, sequence) WHERE state = 3;

-- A log for people: nothing depends on it.
CREATE TABLE attempt (
    tenant_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    elapsed_us INTEGER NOT NULL,
    number INTEGER NOT NULL,              -- 1, 2, … within its run
    run INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    status INTEGER,
    failure TEXT,
    detail TEXT NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (tenant_id, sequence, subscription_number, started_at)
) STRICT, WITHOUT ROWID;

-- The lane's inbox: others ask here, and only the owner acts.
CREATE TABLE retry (
    number INTEGER PRIMARY KEY,
    subscription_number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    budget INTEGER NOT NULL
) STRICT;
