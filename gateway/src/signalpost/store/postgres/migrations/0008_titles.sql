-- breaks_before: 1
-- Documents are found by how their titles, references and owners begin, by comparisons in the order of bytes alone.
-- The key of a title is a column of its own, so that a change that leaves it alone stays off the indexes: an index on
-- what `body` says would be written with every change.

ALTER TABLE document
    ALTER COLUMN reference_id TYPE text COLLATE "C",
    ALTER COLUMN owner_email TYPE text COLLATE "C",
    ADD COLUMN title_key text COLLATE "C";      -- the beginning of the title, in small letters; null once it is deleted
SELECT set_config('signalpost.tenants', '{-1}', true);
UPDATE document SET title_key = lower(left(convert_from(body, 'UTF8')::json ->> 'title', 64)) WHERE deleted_at IS NULL;
CREATE INDEX document_title ON document (tenant_id, title_key, number) WHERE deleted_at IS NULL;
