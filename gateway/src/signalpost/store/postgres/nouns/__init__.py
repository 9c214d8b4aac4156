"""What PostgreSQL answers in its own way, one file per noun."""
