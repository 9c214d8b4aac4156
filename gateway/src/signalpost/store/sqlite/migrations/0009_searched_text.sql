-- breaks_before: 1
-- What documents say that they are found by, for every 256 of a tenant together, one line for each title, reference and
-- address of an owner; see store/nouns/searched_text.py. A document that changes empties its text, until it is written anew.
UPDATE document SET title_key = lower(json_extract(CAST(body AS TEXT), '$.title')) WHERE length(title_key) = 64;
CREATE TABLE document_text (
    tenant_id INTEGER NOT NULL,
    first INTEGER NOT NULL,                     -- the numbers of the documents
    last INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant_id, last)
) STRICT;
CREATE INDEX document_text_empty ON document_text (tenant_id, last) WHERE text = '';
CREATE TRIGGER document_text_of_changed AFTER UPDATE OF title_key, reference_id, owner_email ON document BEGIN
    UPDATE document_text SET text = '' WHERE tenant_id = OLD.tenant_id AND text <> '' AND last =
        (SELECT last FROM document_text WHERE tenant_id = OLD.tenant_id AND last >= OLD.number ORDER BY last LIMIT 1);
END;
