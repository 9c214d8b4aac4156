-- By what other processes of a node's machine find out that it has ended; see runtime/process_birth.py.
ALTER TABLE node ADD COLUMN birth TEXT NOT NULL DEFAULT '';
