"""The source `rabbitmq`: a queue of RabbitMQ."""
