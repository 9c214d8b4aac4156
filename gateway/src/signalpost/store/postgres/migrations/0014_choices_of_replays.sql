-- What of its range a replay is about, and who asked for it. An older version would send all of the range.

ALTER TABLE replay ADD COLUMN types bigint NOT NULL DEFAULT 7;
ALTER TABLE replay ADD COLUMN document_id uuid;
ALTER TABLE replay ADD COLUMN created_by text;
