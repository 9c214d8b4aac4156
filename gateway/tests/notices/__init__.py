"""Worlds in which much goes wrong, and a model of what people are to be told of it."""
