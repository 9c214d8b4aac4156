-- breaks_before: 18
-- A tenant's replays, newest first.

CREATE INDEX replay_tenant ON replay (tenant_id, number);
