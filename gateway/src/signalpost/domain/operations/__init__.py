"""What the people who run the gateway are told: conditions, and the notices that tell of them."""
