-- breaks_before: 18
-- What operators see of nodes.

ALTER TABLE node ADD COLUMN host TEXT NOT NULL DEFAULT '';            -- the name of its machine
ALTER TABLE node ADD COLUMN process INTEGER NOT NULL DEFAULT 0;       -- the number of its process there
ALTER TABLE node ADD COLUMN joined_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN lanes INTEGER NOT NULL DEFAULT 0;         -- how many it had when it beat last
ALTER TABLE node ADD COLUMN is_draining INTEGER NOT NULL DEFAULT 0;   -- it is ending: it takes no more lanes
