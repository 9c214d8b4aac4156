"""Who calls the API, and how much each caller may have of it."""
