-- What signalpost-connect reads. Run this once, in the database of your documents, as a user who may create tables, users
-- and triggers. It needs MySQL 8.0 or MariaDB 10.5, or newer: older ones forget after a restart how far they had numbered.
-- If the first trigger is refused, because your table lacks a column, change it and run all of this again.

CREATE TABLE IF NOT EXISTS {before}signalpost_outbox (
  tenant varchar(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'default',
  id bigint NOT NULL AUTO_INCREMENT,
  document_id char(36) CHARACTER SET ascii NOT NULL,
  source_version bigint,          -- rises with every state of a document; NULL: the id is it
  snapshot json,                  -- the document as it is now; NULL: it was deleted
  traceparent varchar(255),       -- of the work that the change belongs to, if you trace
  at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY by_tenant (tenant, id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS {before}signalpost_outbox_dead (
  tenant varchar(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  id bigint NOT NULL,
  document_id char(36) CHARACTER SET ascii NOT NULL,
  source_version bigint,
  snapshot json,
  traceparent varchar(255),
  at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  problem text CHARACTER SET utf8mb4 NOT NULL, -- why the gateway will never take it as it is
  died_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (tenant, id)
) ENGINE = InnoDB;

-- The user that signalpost-connect signs in as. It cannot yet: ALTER USER {role} IDENTIFIED BY '…' ACCOUNT UNLOCK
CREATE USER IF NOT EXISTS {role} ACCOUNT LOCK;
GRANT SELECT, DELETE ON {before}signalpost_outbox TO {role};
GRANT SELECT, INSERT, DELETE ON {before}signalpost_outbox_dead TO {role};
