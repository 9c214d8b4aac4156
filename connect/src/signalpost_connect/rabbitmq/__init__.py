"""The source `rabbitmq`, a queue, and the sink of that name, an exchange."""
