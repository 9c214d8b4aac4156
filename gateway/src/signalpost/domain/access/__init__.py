"""Who may do what: tenants and their limits, keys, members, how people sign in, and links for customers."""
