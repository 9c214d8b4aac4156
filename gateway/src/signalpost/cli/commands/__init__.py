"""The commands: a module for each, named as the command is. What a command needs besides stands beside it."""
