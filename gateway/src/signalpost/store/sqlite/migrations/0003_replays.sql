-- Replays. `state` is running, finished or cancelled. Once it is there, the lane's owner writes `cursor`, `queued` and the
-- end of it, in the transaction that writes the rows of what it queued; the API writes that it is cancelled.
CREATE TABLE replay (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL,
    what TEXT NOT NULL,                   -- failed, all
    from_at INTEGER NOT NULL,
    to_at INTEGER NOT NULL,
    from_sequence INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    count_is_capped INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    cursor INTEGER NOT NULL,              -- the last sequence that it is done with
    queued INTEGER NOT NULL,
    state TEXT NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX replay_subscription ON replay (subscription_number, number);
CREATE INDEX replay_running ON replay (subscription_number) WHERE state = 'running';
CREATE INDEX replay_finished ON replay (finished_at) WHERE finished_at IS NOT NULL;
