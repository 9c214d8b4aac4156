"""Changes that someone asks for: which rows each reads, and the pure decision on them."""
