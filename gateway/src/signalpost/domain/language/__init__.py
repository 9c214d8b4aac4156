"""The language of conditions and placeholders: what is written, what it names, and what it says of an event."""
