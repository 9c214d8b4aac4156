"""The portal: a customer's own page. A customer who came by a portal link sees their subscriptions there. Its calls of
the API have the rights of that link."""

from typing import Final

ROOT: Final = "/portal"
"""Where its pages are."""
ENTER: Final = f"{ROOT}/enter"
"""Where its links lead to."""
