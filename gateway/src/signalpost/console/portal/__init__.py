"""The portal: a customer's own page. Whoever came by a portal link sees their subscriptions there, by calls of the API
that are made as that link allows."""

from typing import Final

ROOT: Final = "/portal"
"""Where its pages are."""
ENTER: Final = f"{ROOT}/enter"
"""Where its links lead to."""
