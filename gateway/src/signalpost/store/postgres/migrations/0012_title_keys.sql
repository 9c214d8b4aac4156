-- breaks_before: 1
-- Versions that know no migration 8 write documents without a key for their title, or leave the key of a title that they
-- change. Once none of them is at work, all documents are looked at once.

ALTER TABLE fleet ADD COLUMN titles_have_keys boolean NOT NULL DEFAULT false;
