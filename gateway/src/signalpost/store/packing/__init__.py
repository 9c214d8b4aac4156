"""How values are laid out in the columns of a database: one file a noun.

The layout is the same in each. Only ids differ, which one keeps as 16 bytes and another in a type of its own: whoever
packs or unpacks a row with an id says how.
"""

from typing import TypeVar

Id = TypeVar("Id")
"""How a database keeps an id."""
