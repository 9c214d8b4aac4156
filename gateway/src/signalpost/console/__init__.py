"""The console: pages for people who set subscriptions up and look into failures. It has no power of its own: each page
makes calls of the API by their names, with the rights of the person who is signed in."""

from typing import Final

ROOT: Final = "/console"
"""Where its pages are."""
OIDC: Final = f"{ROOT}/oidc"
CALLBACK: Final = f"{OIDC}/callback"
"""Where an identity provider sends people back to."""
