"""How values are laid out in the columns of a database: one file a noun.

The layout is the same in each. Only ids differ: one database keeps them as 16 bytes, another has a type for them. The
caller says how an id is packed or unpacked.
"""

from typing import TypeVar

Id = TypeVar("Id")
"""How a database keeps an id."""
