-- breaks_before: 14
-- From where somebody signed in, for them to recognise their own sessions by.

ALTER TABLE session ADD COLUMN address text;
ALTER TABLE session ADD COLUMN browser text;
