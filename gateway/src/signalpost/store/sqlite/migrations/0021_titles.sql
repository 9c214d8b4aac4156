-- Documents are found by how their titles begin. An index on what the body says, so no write has to keep another column.

CREATE INDEX document_title ON document (tenant_id, lower(substr(json_extract(CAST(body AS TEXT), '$.title'), 1, 64)))
    WHERE deleted_at IS NULL;
