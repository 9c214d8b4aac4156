"""The store in one SQLite file: migrations, one writer thread and read threads."""
