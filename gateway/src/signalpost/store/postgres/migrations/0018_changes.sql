-- breaks_before: 18
-- Which transaction was the last to change what nodes keep in memory of a tenant, and an API key: so a node is told at
-- once all that changed since it looked last. Versions that know no migration 18 do not note it.

ALTER TABLE tenant ADD COLUMN changed_by xid8;
ALTER TABLE tenant ALTER COLUMN changed_by SET DEFAULT pg_current_xact_id();
CREATE INDEX tenant_changed_by ON tenant (changed_by);
ALTER TABLE api_key ADD COLUMN changed_by xid8;
ALTER TABLE api_key ALTER COLUMN changed_by SET DEFAULT pg_current_xact_id();
CREATE INDEX api_key_changed_by ON api_key (changed_by);
