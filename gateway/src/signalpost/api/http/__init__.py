"""HTTP as the API needs it: ASGI requests, bodies, forms, byte ranges, API keys and problem documents."""
