-- breaks_before: 14
-- Which replay a delivery belongs to, and how those of a replay ended: NULL where that is not counted from the start.

ALTER TABLE delivery ADD COLUMN replay bigint;
ALTER TABLE replay ADD COLUMN delivered bigint;
ALTER TABLE replay ADD COLUMN failed bigint;
ALTER TABLE replay ADD COLUMN skipped bigint;
