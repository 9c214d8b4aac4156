"""Work beside deliveries: retention, expiry of signature requests, the disk's reserve, scrubs."""
