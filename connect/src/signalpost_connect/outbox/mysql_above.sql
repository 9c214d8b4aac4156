-- Has the next change be numbered above {number}. Run it as the owner of the table, after the database was restored to a
-- moment before: changes would be numbered as others were already, and be dropped as old. ALTER TABLE could lower a number.
START TRANSACTION;
INSERT IGNORE INTO {before}signalpost_outbox (tenant, id, document_id) VALUES ('', {number}, '');
DELETE FROM {before}signalpost_outbox WHERE id = {number} AND tenant = '';
COMMIT;
