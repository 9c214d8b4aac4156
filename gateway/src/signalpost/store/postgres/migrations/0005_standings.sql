-- breaks_before: 1
-- What a lane's owner knows of it beside its row, as JSON, so that every node can tell people. Null until it was written.

ALTER TABLE lane ADD COLUMN standing bytea;
