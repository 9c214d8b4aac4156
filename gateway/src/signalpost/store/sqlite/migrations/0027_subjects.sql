-- breaks_before: 26
-- Who a member is at the identity provider. Earlier versions let in whoever has a password, as before.

ALTER TABLE member ADD COLUMN subject TEXT;
