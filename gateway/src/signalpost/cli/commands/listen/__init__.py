"""`signalpost listen`: follows a gateway's events, and forwards them to a receiver on this machine."""
