"""The route table's types, and what follows from it: dispatch, checks, permissions, OpenAPI and `/docs`."""
