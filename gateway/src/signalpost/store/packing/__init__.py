"""How values are laid out in the columns of a database: one file a noun."""
