"""One module for each noun of the API: its routes, their handlers, and how its values are shown."""
