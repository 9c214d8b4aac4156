"""Work in the background: retention, expiry of signature requests, the disk reserve, scrubs, erasure, keys."""
