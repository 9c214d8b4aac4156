-- breaks_before: 1
-- What operators see of nodes.

ALTER TABLE node
    ADD COLUMN host text NOT NULL DEFAULT '',              -- the name of its machine
    ADD COLUMN process bigint NOT NULL DEFAULT 0,          -- the number of its process there
    ADD COLUMN joined_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN lanes bigint NOT NULL DEFAULT 0,            -- how many it had when it beat last
    ADD COLUMN is_draining boolean NOT NULL DEFAULT false; -- it is ending: it takes no more lanes
