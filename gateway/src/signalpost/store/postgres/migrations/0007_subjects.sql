-- breaks_before: 1
-- Who a member is at the identity provider. Earlier versions let in whoever has a password, as before.

ALTER TABLE member ADD COLUMN subject text;
