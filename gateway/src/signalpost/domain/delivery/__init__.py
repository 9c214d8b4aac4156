"""What is sent next on a lane, and what an attempt's outcome means."""
