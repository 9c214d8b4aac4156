"""What answers look like, by noun. Handlers encode these; the description of the API is made from them."""
