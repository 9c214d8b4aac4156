"""The lanes that this process owns: reads the log, dispatches attempts, records results, feeds replays."""
