"""The HTTP/1.1 server: request heads, connection limits and slow clients. Knows nothing of the API behind it."""
