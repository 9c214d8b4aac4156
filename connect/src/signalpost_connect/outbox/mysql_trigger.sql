-- What fills it: triggers on the table of your documents. Change the names on the right of the snapshot to your columns, and
-- leave out what you do not have; it stands here twice. They run after the document's row is locked, so that the states of a
-- document are numbered in the order in which they are committed. An INSERT that your program makes before it locks the row
-- is not. They have the rights of who creates them: the users who change documents need no right on the outbox.
-- A column of the type datetime has no time zone: if yours are in UTC, leave CONVERT_TZ out.

CREATE TRIGGER signalpost_outbox_insert AFTER INSERT ON {table} FOR EACH ROW
INSERT INTO {before}signalpost_outbox (document_id, snapshot) VALUES (NEW.id, {snapshot});

-- A document that gets another id is deleted under the old one.
CREATE TRIGGER signalpost_outbox_rename AFTER UPDATE ON {table} FOR EACH ROW
INSERT INTO {before}signalpost_outbox (document_id) SELECT OLD.id FROM DUAL WHERE OLD.id <> NEW.id;

CREATE TRIGGER signalpost_outbox_update AFTER UPDATE ON {table} FOR EACH ROW
INSERT INTO {before}signalpost_outbox (document_id, snapshot) VALUES (NEW.id, {snapshot});

CREATE TRIGGER signalpost_outbox_delete AFTER DELETE ON {table} FOR EACH ROW
INSERT INTO {before}signalpost_outbox (document_id) VALUES (OLD.id);
