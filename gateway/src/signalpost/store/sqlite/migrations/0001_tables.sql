-- One log per tenant, one lane per subscription, and what stands around them. Times are microseconds since the epoch; ids
-- are 16 bytes. Short columns stand before long ones, so that nothing that is filtered by is read through a body.

-- === Documents and the log ===

-- A deleted tenant's row stays under a name that nobody can give, so that its number is never given to another.
CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 1,           -- the lowest sequence that the retention keeps
    next_floor INTEGER NOT NULL DEFAULT 0,      -- what is below is about to be removed
    config_version INTEGER NOT NULL DEFAULT 0,  -- rises with what nodes keep in memory
    created_at INTEGER,                         -- null for `default`, which every database begins with
    paused_at INTEGER,
    deleted_at INTEGER,
    retention_days INTEGER,                     -- null where the gateway's setting counts
    limits TEXT,                                -- those that operators set, as JSON; null where there are none
    documents INTEGER NOT NULL DEFAULT 0,       -- how much it has of what can be limited
    subscriptions INTEGER NOT NULL DEFAULT 0,
    file_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO tenant (name) VALUES ('default');

-- The number is the order of creation. A deleted document stays as a tombstone, because its versions go on from there: its
-- body is empty, and it is in no index of a list.
CREATE TABLE document (
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
    title_key TEXT,                             -- the beginning of the title, in small letters; see the index
    last_number INTEGER,                        -- the highest that a version got, also before a deletion
    expires_at INTEGER,                         -- of its signature request
    workflow BLOB,                              -- null where the status is all that there is to know
    body BLOB NOT NULL,
    UNIQUE (tenant_id, external_id)
) STRICT;
CREATE INDEX document_live ON document (tenant_id) WHERE deleted_at IS NULL;
CREATE INDEX document_reference ON document (tenant_id, reference_id)
    WHERE reference_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX document_owner ON document (tenant_id, owner_email) WHERE deleted_at IS NULL;
CREATE INDEX document_status ON document (tenant_id, status) WHERE deleted_at IS NULL;
CREATE INDEX document_type ON document (tenant_id, type) WHERE deleted_at IS NULL;
-- The key of a title is a column of its own, so that a change that leaves the title alone stays off this index: one on what
-- the body says would be written with every change, and would read the JSON of the body before and after.
CREATE INDEX document_title ON document (tenant_id, title_key) WHERE deleted_at IS NULL;
CREATE INDEX document_expiry ON document (expires_at) WHERE expires_at IS NOT NULL;

-- The rowid order is commit order, so that appends touch one page however many tenants there are.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type INTEGER NOT NULL,
    cause INTEGER NOT NULL,                     -- how it came about, and the number of the API key that asked for it
    caller INTEGER,
    id BLOB NOT NULL,
    document_id BLOB NOT NULL,
    before BLOB,                                -- the former values of what it changed, as JSON; null where none did
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_log ON event (tenant_id, sequence);
CREATE INDEX event_document ON event (tenant_id, document_id, sequence, type);

-- What no event tells of what was done to a document. `sequence` is that of its event, or of the last event before it.
CREATE TABLE step (
    number INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    caller INTEGER,
    document_id BLOB NOT NULL,
    event_id BLOB,
    step BLOB NOT NULL
) STRICT;
CREATE INDEX step_document ON step (tenant_id, document_id, sequence, number);

-- Versions that the gateway keeps itself. Their files are elsewhere, under the names that are here.
CREATE TABLE version (
    tenant_id INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    number INTEGER NOT NULL,                    -- major << 32 | minor
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    published_as INTEGER,                       -- of a draft: the version that its publication made, with the same file
    deleted_at INTEGER,
    file BLOB NOT NULL,
    sha256 BLOB NOT NULL,
    content_type TEXT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, document_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_file ON version (file);
CREATE INDEX version_deleted ON version (deleted_at) WHERE deleted_at IS NOT NULL;

-- Answers to requests with an `Idempotency-Key`, for repeats of these.
CREATE TABLE idempotency (
    tenant_id INTEGER NOT NULL,
    api_key_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    request_hash BLOB NOT NULL,
    answer BLOB NOT NULL,                       -- sealed: answers may show a secret
    without_secrets BLOB,                       -- sealed: what takes the answer's place once it shows none any more
    PRIMARY KEY (tenant_id, api_key_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_secrets ON idempotency (expires_at) WHERE without_secrets IS NOT NULL;

-- === Subscriptions and deliveries ===

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
    held_until INTEGER,                         -- until when a vendor asked to be left alone; null where it did not
    grant_version INTEGER NOT NULL,
    config BLOB NOT NULL,                       -- sealed
    granted BLOB                                -- sealed
) STRICT;
CREATE INDEX connection_live ON connection (tenant_id, number) WHERE deleted_at IS NULL;
CREATE INDEX connection_deleted ON connection (number) WHERE deleted_at IS NOT NULL;

-- What the API writes of a subscription. URL, secret and header values are sealed inside `sealed`.
CREATE TABLE subscription (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    deleted_at INTEGER,
    connection_id BLOB,
    config BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX subscription_live ON subscription (tenant_id, number) WHERE deleted_at IS NULL;
CREATE INDEX subscription_deleted ON subscription (number) WHERE deleted_at IS NOT NULL;
CREATE INDEX subscription_connection ON subscription (connection_id)
    WHERE connection_id IS NOT NULL AND deleted_at IS NULL;

-- What the lane's owner writes, apart from what the API writes, so that neither waits for the other. The owner moves
-- `version` on with every write, and writes only where it is still its own.
CREATE TABLE lane (
    subscription_number INTEGER PRIMARY KEY,
    owner INTEGER,                              -- the node that has it; null while none does
    version INTEGER NOT NULL,
    head INTEGER NOT NULL,
    awaiting_retry INTEGER NOT NULL DEFAULT 0,  -- how many exception rows it has in each state: what writes one counts it
    blocked INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    delay INTEGER NOT NULL DEFAULT 0,           -- by how many seconds what waits untried may have been put off
    open BLOB NOT NULL,                         -- ascending sequences as variable-length differences
    gaps BLOB NOT NULL,                         -- [[first, last], …] that were never taken in
    health BLOB NOT NULL,
    standing BLOB                               -- what its owner knows beside it, as JSON, for people; null until written
) STRICT;

-- Exception rows: 1 awaits a retry, 2 is blocked, 3 has failed. Whatever has none, and is neither open nor above the head,
-- is settled.
CREATE TABLE delivery (
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    state INTEGER NOT NULL,
    due INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run INTEGER NOT NULL,
    resume_at INTEGER,
    replay INTEGER,                             -- the number of the replay in which it counts
    document_id BLOB NOT NULL,
    PRIMARY KEY (subscription_number, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_awaiting_retry ON delivery (subscription_number, due) WHERE state = 1;
CREATE INDEX delivery_state ON delivery (subscription_number, state, sequence);
CREATE INDEX delivery_tenant_state ON delivery (tenant_id, state, sequence, subscription_number);

-- The lane's inbox: others ask here, and only the owner acts.
CREATE TABLE retry (
    number INTEGER PRIMARY KEY,
    subscription_number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    document_id BLOB NOT NULL
) STRICT;

-- Replays. `state` is running, finished or cancelled. Once it is there, the lane's owner writes `cursor`, `queued` and the
-- end of it, in the transaction that writes the rows of what it queued; the API writes that it is cancelled.
CREATE TABLE replay (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    what TEXT NOT NULL,                         -- failed, waiting, all
    types INTEGER NOT NULL,                     -- of events; a bit for each
    document_id BLOB,                           -- null for all documents
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL,
    from_sequence INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    count_is_capped INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,
    cursor INTEGER NOT NULL,                    -- the last sequence that it is done with
    queued INTEGER NOT NULL,
    delivered INTEGER,                          -- how those that it queued ended
    failed INTEGER,
    skipped INTEGER,
    state TEXT NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX replay_tenant ON replay (tenant_id, number);
CREATE INDEX replay_subscription ON replay (subscription_number, number);
CREATE INDEX replay_running ON replay (subscription_number) WHERE state = 'running';
CREATE INDEX replay_finished ON replay (finished_at) WHERE finished_at IS NOT NULL;

-- A log for people: nothing depends on it.
CREATE TABLE attempt (
    tenant_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    elapsed_us INTEGER NOT NULL,
    number INTEGER NOT NULL,                    -- 1, 2, … within its run
    run INTEGER NOT NULL,
    status INTEGER,
    counted INTEGER NOT NULL,
    failure TEXT,
    detail TEXT NOT NULL,
    answer BLOB NOT NULL,
    exchange BLOB,                              -- what went over the wire, as JSON without secrets; null where none is kept
    PRIMARY KEY (tenant_id, sequence, subscription_number, started_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_skipped ON attempt (tenant_id, sequence, subscription_number) WHERE failure = 'skipped';

-- What a subscription's deliveries for a document said they made: ids, links.
CREATE TABLE made (
    subscription_number INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    made BLOB NOT NULL,
    PRIMARY KEY (subscription_number, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX made_document ON made (document_id);

-- What attempts came to, added up by minute and by hour, so that charts read few rows and outlive the attempts.
CREATE TABLE stat (
    span INTEGER NOT NULL,                      -- seconds: 60 or 3600
    start INTEGER NOT NULL,                     -- seconds since the epoch
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,       -- 0: all of the tenant's
    count_0 INTEGER NOT NULL,                   -- delivered
    count_1 INTEGER NOT NULL,                   -- of these by their first attempt
    count_2 INTEGER NOT NULL,                   -- failed, and retried
    count_3 INTEGER NOT NULL,                   -- failed, and given up
    count_4 INTEGER NOT NULL,                   -- delivered within 5 ms, and so on up to 5 s, and in more
    count_5 INTEGER NOT NULL,
    count_6 INTEGER NOT NULL,
    count_7 INTEGER NOT NULL,
    count_8 INTEGER NOT NULL,
    count_9 INTEGER NOT NULL,
    count_10 INTEGER NOT NULL,
    count_11 INTEGER NOT NULL,
    count_12 INTEGER NOT NULL,
    count_13 INTEGER NOT NULL,
    count_14 INTEGER NOT NULL,
    PRIMARY KEY (span, start, tenant_id, subscription_number)
) STRICT, WITHOUT ROWID;

-- === Who may call ===

-- API keys beside the operator's own: hashes only. A revoked one stays, so that what it did can be told, and its number is
-- never given to another.
CREATE TABLE api_key (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    created_by TEXT,                            -- the name of the key that made it
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER                        -- written about once an hour
) STRICT;

-- People of the operator's team and of tenants. A removed one stays, without e-mail address and password, so that what they
-- did can be told.
CREATE TABLE member (
    number INTEGER PRIMARY KEY,                 -- from the same sequence as the numbers of API keys
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,                        -- in lower case
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,                            -- the name of whoever invited them
    password TEXT,                              -- argon2id; null while they are invited
    subject TEXT,                               -- who they are at the identity provider; null until they came from there
    generation INTEGER NOT NULL,                -- sessions of another one have ended
    invitation BLOB UNIQUE,                     -- SHA-256 of its token
    invited_until INTEGER,
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX member_email ON member (email) WHERE removed_at IS NULL;

-- Links with which customers get at their own subscriptions. They are removed once they have ended.
CREATE TABLE portal_link (
    number INTEGER PRIMARY KEY,                 -- from the same sequence as the numbers of API keys
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,                  -- SHA-256 of the token
    maker_kind TEXT NOT NULL,                   -- what it is worth no more than: key, member
    maker_id TEXT NOT NULL,
    maker_proof BLOB NOT NULL,                  -- what must be true of that still
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    opened_at INTEGER,
    revoked_at INTEGER,
    terms BLOB NOT NULL                         -- JSON: whom it is for, and what it allows
) STRICT;
CREATE INDEX portal_link_tenant ON portal_link (tenant_id, number);
CREATE INDEX portal_link_ends ON portal_link (ends_at);

-- Sessions of people in a browser, found by the hashes of their tokens alone, whichever tenant they are for.
CREATE TABLE session (
    hash BLOB PRIMARY KEY,                      -- SHA-256 of the token
    purpose TEXT NOT NULL,                      -- what it is good for: console, portal
    ground_kind TEXT NOT NULL,                  -- what it came from: key, portal-link
    ground_id TEXT NOT NULL,
    proof BLOB NOT NULL,                        -- what must be true of that still
    began_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    proved_at INTEGER NOT NULL,                 -- when its holder last showed a key or a password
    used_at INTEGER NOT NULL,                   -- written about once a minute
    address TEXT,                               -- from where they signed in, for them to recognise their own sessions by
    browser TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX session_ground ON session (ground_kind, ground_id, began_at);
CREATE INDEX session_used ON session (used_at);

-- Links that sign somebody in once, without a password.
CREATE TABLE sign_in_link (
    hash BLOB PRIMARY KEY,                      -- SHA-256 of the token
    purpose TEXT NOT NULL,
    ground_kind TEXT NOT NULL,
    ground_id TEXT NOT NULL,
    proof BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_link_ground ON sign_in_link (ground_kind, ground_id, purpose, expires_at);
CREATE INDEX sign_in_link_expires ON sign_in_link (expires_at);

-- How fast passwords were tried, and from where owners of accounts have signed in (domain/access/sign_in_tries.py).
CREATE TABLE sign_in_try (
    subject BLOB PRIMARY KEY,                   -- SHA-256 of what is counted: an address, an account, or both
    clear_at INTEGER NOT NULL,                  -- from when on the next try counts as the only one
    kept_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_try_kept ON sign_in_try (kept_until);

-- === Keys, proofs and erasure ===

-- Keys that seal secrets and sign links, each wrapped by a master key: erase a tenant's, and what it sealed is unreadable.
CREATE TABLE data_key (
    number INTEGER PRIMARY KEY,                 -- drawn at random; sealed values carry it
    purpose TEXT NOT NULL,
    tenant_id INTEGER NOT NULL,                 -- 0: the gateway's own, which sign
    master_key TEXT NOT NULL,                   -- the id of the one that wraps it
    wrapped BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    retired_at INTEGER,                         -- from then on it seals and signs no more
    seals INTEGER NOT NULL DEFAULT 0            -- how many values it may have sealed, set aside in blocks
) STRICT;
CREATE INDEX data_key_tenant ON data_key (tenant_id, purpose);

-- Who changed what. It stays when a tenant is erased, because its entries prove one another.
CREATE TABLE audit (
    position INTEGER PRIMARY KEY,               -- 1, 2, 3 … through the whole database
    tenant_id INTEGER NOT NULL,
    number INTEGER NOT NULL,                    -- 1, 2, 3 … of the tenant
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    object TEXT NOT NULL,
    content TEXT NOT NULL,                      -- JSON, of which the hash is made
    hash BLOB NOT NULL,
    proof BLOB NOT NULL                         -- HMAC of all of it and of the proof before
) STRICT;
CREATE UNIQUE INDEX audit_number ON audit (tenant_id, number);
CREATE INDEX audit_actor ON audit (tenant_id, actor, number);
CREATE INDEX audit_object ON audit (tenant_id, object, number);

-- Where each tenant's chain begins and ends, and as tenant 0 that of the whole database: so a missing end is found too.
CREATE TABLE audit_end (
    tenant_id INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    before BLOB NOT NULL,
    last INTEGER NOT NULL,
    hash BLOB NOT NULL,
    tenants INTEGER NOT NULL,
    proof BLOB NOT NULL
) STRICT;

-- What a command did that opened the database itself, without the key for proofs: the next start makes entries of it.
CREATE TABLE audit_draft (
    number INTEGER PRIMARY KEY,
    draft BLOB NOT NULL
) STRICT;

-- Erasures that were asked for. They go on part by part, also after a restart, and a restore asks for them again.
CREATE TABLE erasure (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    tenant TEXT NOT NULL,                       -- its name
    document_id BLOB,                           -- null for the whole tenant
    asked_at INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    removed INTEGER NOT NULL,                   -- rows and files
    finished_at INTEGER
) STRICT;
CREATE INDEX erasure_pending ON erasure (number) WHERE finished_at IS NULL;

-- === The fleet ===

-- What all nodes must agree on. A database in SQLite has one node, which is a fleet of one with the same code.
CREATE TABLE fleet (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    last_node INTEGER NOT NULL,                 -- the highest number that was given to a node
    keys_version INTEGER NOT NULL               -- rises with every API key that is made or revoked
) STRICT;
INSERT INTO fleet VALUES (1, 0, 0);

-- A node is one start of the program.
CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    beat INTEGER NOT NULL,
    at INTEGER NOT NULL,                        -- when it beat last, for people
    role TEXT NOT NULL,
    program TEXT NOT NULL,                      -- its version, for people
    host TEXT NOT NULL DEFAULT '',              -- the name of its machine
    process INTEGER NOT NULL DEFAULT 0,         -- the number of its process there
    joined_at INTEGER NOT NULL DEFAULT 0,
    lanes INTEGER NOT NULL DEFAULT 0,           -- how many it had when it beat last
    is_draining INTEGER NOT NULL DEFAULT 0      -- it is ending: it takes no more lanes
) STRICT;

-- Work that one node does for all.
CREATE TABLE job (
    name TEXT PRIMARY KEY,
    owner INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
