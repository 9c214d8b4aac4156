-- The subscription whose shadow one is; see domain/shadow.py.
ALTER TABLE subscription ADD COLUMN shadow_of BLOB;
CREATE INDEX subscription_shadow ON subscription (shadow_of)
    WHERE shadow_of IS NOT NULL AND deleted_at IS NULL;
