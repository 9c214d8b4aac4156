"""The source `nats`: a stream of NATS JetStream."""
