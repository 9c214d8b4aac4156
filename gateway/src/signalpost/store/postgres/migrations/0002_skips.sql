-- breaks_before: 1
-- What was asked of a subscription before its backlog was skipped is told from what was asked since: each skip has the version
-- of the subscription with which it came, a lane remembers the last that it carried out, and a retry by hand the version
-- for which it was asked.
ALTER TABLE lane ADD COLUMN skip_version bigint NOT NULL DEFAULT 0;
ALTER TABLE retry ADD COLUMN of_version bigint NOT NULL DEFAULT 0;
