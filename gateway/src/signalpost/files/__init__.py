"""Stores the files of versions in a folder or in a bucket."""
