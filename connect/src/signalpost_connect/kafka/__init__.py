"""The source and the sink `kafka`."""
