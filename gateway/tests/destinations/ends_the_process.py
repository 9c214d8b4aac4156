"""A module of a plugin that no one should import."""

import sys

sys.exit(1)
