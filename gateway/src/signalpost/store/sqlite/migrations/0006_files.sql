-- Versions that the gateway keeps itself. Their files are elsewhere, under the names that are here.

ALTER TABLE document ADD COLUMN last_number INTEGER;   -- the highest that a version got, also before a deletion

CREATE TABLE version (
    tenant_id INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    number INTEGER NOT NULL,              -- major << 32 | minor
    file BLOB NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    content_type TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    published_as INTEGER,                 -- of a draft: the version that its publication made, with the same file
    deleted_at INTEGER,
    PRIMARY KEY (tenant_id, document_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_file ON version (file);
CREATE INDEX version_deleted ON version (deleted_at) WHERE deleted_at IS NOT NULL;
