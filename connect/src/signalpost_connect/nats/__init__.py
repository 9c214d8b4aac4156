"""The source and the sink `nats`: a stream of NATS JetStream."""
