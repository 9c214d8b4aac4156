"""What looks for conditions that operators should hear of, and has notices written."""
