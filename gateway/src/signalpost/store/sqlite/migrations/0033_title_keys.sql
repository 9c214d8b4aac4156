-- The key of a title is a column of its own, so that a change that leaves the title alone stays off its index: an index
-- on what the body says is written with every change, and reads the JSON of the body before and after.

ALTER TABLE document ADD COLUMN title_key TEXT; -- the beginning of the title, in small letters; null once it is deleted

UPDATE document SET title_key = lower(substr(json_extract(CAST(body AS TEXT), '$.title'), 1, 64)) WHERE deleted_at IS NULL;
DROP INDEX document_title;
CREATE INDEX document_title ON document (tenant_id, title_key) WHERE deleted_at IS NULL;
