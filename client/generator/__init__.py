"""Writes what the clients for Python and TypeScript know of the API: `.venv/bin/python -m client.generator`."""
