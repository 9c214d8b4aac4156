"""A module of a plugin that nobody should import."""

import sys

sys.exit(1)
