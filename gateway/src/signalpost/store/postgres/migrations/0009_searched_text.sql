-- breaks_before: 1
-- What documents say that they are found by, for every 256 of a tenant together, one line for each title, reference and
-- address of an owner; see store/nouns/searched_text.py. A document that changes empties its text, until it is written anew.
UPDATE document SET title_key = lower(convert_from(body, 'UTF8')::json ->> 'title') WHERE length(title_key) = 64;
CREATE TABLE document_text (
    tenant_id bigint NOT NULL,
    first bigint NOT NULL,                      -- the numbers of the documents
    last bigint NOT NULL,
    text text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, last)
);
ALTER TABLE document_text ALTER text SET STORAGE EXTERNAL; -- it is read through as it is
CREATE INDEX document_text_empty ON document_text (tenant_id, last) WHERE text = '';
CREATE FUNCTION empty_document_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE document_text SET text = '' WHERE tenant_id = OLD.tenant_id AND text <> '' AND last =
        (SELECT t.last FROM document_text t WHERE t.tenant_id = OLD.tenant_id AND t.last >= OLD.number
         ORDER BY t.last LIMIT 1);
    RETURN NULL;
END $$;
CREATE TRIGGER document_text_of_changed AFTER UPDATE ON document FOR EACH ROW
    WHEN ((OLD.title_key, OLD.reference_id, OLD.owner_email) IS DISTINCT FROM
          (NEW.title_key, NEW.reference_id, NEW.owner_email))
    EXECUTE FUNCTION empty_document_text();

-- The second wall between tenants, as every table with rows of tenants has it.
DO $$
DECLARE
    said text := $said$(SELECT nullif(current_setting('signalpost.tenants', true), '')::bigint[])::bigint[]$said$;
BEGIN
    ALTER TABLE document_text ENABLE ROW LEVEL SECURITY;
    ALTER TABLE document_text FORCE ROW LEVEL SECURITY;
    EXECUTE format(
        'CREATE POLICY of_tenants ON document_text USING (tenant_id = ANY (%s) OR %s = ARRAY[-1::bigint])', said, said);
END $$;
