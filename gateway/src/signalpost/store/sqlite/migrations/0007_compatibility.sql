-- The oldest programs that can still work with a database, by the newest migration that they know.

ALTER TABLE migration ADD COLUMN breaks_before INTEGER;   -- null where a migration breaks every program that lacks it
