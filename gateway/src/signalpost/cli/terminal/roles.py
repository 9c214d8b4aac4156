"""What each role may do, as the help of commands says it."""

from typing import Final

ROLES_MAY: Final = (
    "everything, in any tenant (operator); create and change documents (app); subscribe, and read (subscriber); "
    "read (viewer)."
)
