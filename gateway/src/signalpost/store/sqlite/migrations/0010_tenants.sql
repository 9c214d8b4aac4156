-- Tenants that are made, paused and deleted; API keys of one tenant. Earlier versions would take every key for an operator's.

-- A deleted tenant's row stays under a name that nobody can give, so that its number is never given to another.
ALTER TABLE tenant ADD COLUMN created_at INTEGER;     -- null for `default`, which every database begins with
ALTER TABLE tenant ADD COLUMN paused_at INTEGER;
ALTER TABLE tenant ADD COLUMN deleted_at INTEGER;

ALTER TABLE api_key ADD COLUMN tenant_id INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
ALTER TABLE api_key ADD COLUMN created_by TEXT;       -- the name of the key that made it
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;  -- written about once an hour
