-- How long the events of a tenant are kept. Earlier versions would remove those that are to be kept for longer.

ALTER TABLE tenant ADD COLUMN retention_days INTEGER;  -- null where the gateway's setting counts
