"""What all commands share: what is written on a command line, and what is printed."""
