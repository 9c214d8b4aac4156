"""Delivery through kinds of destinations other than the signed webhook: their connections, tokens and couriers."""
