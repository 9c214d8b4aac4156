-- Limits of tenants, and how much each has of what they limit. Earlier versions would leave these counts as they are.

ALTER TABLE tenant ADD COLUMN limits TEXT;  -- those that operators set, as JSON; null where there are none
ALTER TABLE tenant ADD COLUMN documents INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN subscriptions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE tenant SET
    documents = (SELECT count(*) FROM document d WHERE d.tenant_id = tenant.id AND d.deleted_at IS NULL),
    subscriptions = (SELECT count(*) FROM subscription s WHERE s.tenant_id = tenant.id AND s.deleted_at IS NULL),
    -- A draft that was published has its file twice.
    file_bytes = (SELECT coalesce(sum(size), 0) FROM version v
        WHERE v.tenant_id = tenant.id AND v.deleted_at IS NULL AND v.published_as IS NULL);
