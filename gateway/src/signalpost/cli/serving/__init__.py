"""What a gateway that serves needs around it: sockets, processes, log lines, and what is answered during the start."""
