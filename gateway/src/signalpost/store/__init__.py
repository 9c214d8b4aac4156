"""The interface of what is stored, for any database."""
