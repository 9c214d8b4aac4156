-- What went over the wire in attempts that failed, in tests and replays: JSON without secrets.

ALTER TABLE attempt ADD COLUMN exchange BLOB;  -- null where none is kept
