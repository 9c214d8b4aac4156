-- breaks_before: 1
-- A tenant's replays, newest first.

CREATE INDEX replay_tenant ON replay (tenant_id, number);
