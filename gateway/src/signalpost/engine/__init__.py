"""Runs the gateway: commits commands, delivers events and maintains the data."""
