"""Lets an assistant read a Signalpost gateway, by the Model Context Protocol (MCP) over standard input and output.

`signalpost-mcp` is the command. It changes nothing, unless it was started with `--allow-replay`.
"""
