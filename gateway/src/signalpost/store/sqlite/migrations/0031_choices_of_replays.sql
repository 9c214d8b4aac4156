-- What of its range a replay is about, and who asked for it. An older version would send all of the range.

ALTER TABLE replay ADD COLUMN types INTEGER NOT NULL DEFAULT 7;
ALTER TABLE replay ADD COLUMN document_id BLOB;
ALTER TABLE replay ADD COLUMN created_by TEXT;
