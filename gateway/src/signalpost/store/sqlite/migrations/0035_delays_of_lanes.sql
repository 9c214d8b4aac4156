-- By how many seconds waiting deliveries that were never tried may have been put off: a shorter delay moves them.

ALTER TABLE lane ADD COLUMN delay INTEGER NOT NULL DEFAULT 0;
