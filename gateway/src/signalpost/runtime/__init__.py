"""What every part runs on: clock, tasks, log, durable files and the types of ASGI."""
