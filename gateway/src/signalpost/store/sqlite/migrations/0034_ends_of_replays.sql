-- breaks_before: 33
-- Which replay a delivery belongs to, and how those of a replay ended: NULL where that is not counted from the start.

ALTER TABLE delivery ADD COLUMN replay INTEGER;
ALTER TABLE replay ADD COLUMN delivered INTEGER;
ALTER TABLE replay ADD COLUMN failed INTEGER;
ALTER TABLE replay ADD COLUMN skipped INTEGER;
