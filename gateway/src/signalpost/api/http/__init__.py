"""HTTP as the API needs it: ASGI requests, bodies, forms, byte ranges and problem documents."""
