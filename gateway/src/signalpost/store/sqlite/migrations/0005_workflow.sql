-- The workflow of documents, when it expires by itself, and the history of both.

ALTER TABLE document ADD COLUMN workflow BLOB;        -- null where the status is all that there is to know
ALTER TABLE document ADD COLUMN expires_at INTEGER;   -- of its signature request
CREATE INDEX document_expiry ON document (expires_at) WHERE expires_at IS NOT NULL;

-- How an event came about, and the number of the API key that asked for it.
ALTER TABLE event ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN caller INTEGER;

-- What no event tells of what was done to a document. `sequence` is that of its event, or of the last event before it.
CREATE TABLE step (
    number INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event_id BLOB,
    caller INTEGER,
    step BLOB NOT NULL
) STRICT;
CREATE INDEX step_document ON step (tenant_id, document_id, sequence, number);
