-- breaks_before: 1
-- Until when a vendor asked to be left alone, µs. Null where it did not.

ALTER TABLE connection ADD COLUMN held_until bigint;
