"""The secret that `listen` signs with where none is given."""

import secrets

from signalpost.domain.errors import StartError
from signalpost.local.user_folder import made_folder, user_folder
from signalpost.runtime import key_file
from signalpost_receiver import make_token

FILE = "listen-secret"


def listen_secret() -> str:
    """The secret that `listen` signs with where none is given: made by the first use, and the same ever after.
    Raises StartError."""
    file = user_folder() / FILE
    try:
        made_folder(file.parent)
        if not file.exists():
            key_file.write(file, make_token(secrets.token_bytes))
        return key_file.read(file)
    except (OSError, UnicodeDecodeError, key_file.NotPrivate) as error:
        raise StartError(f"The secret of listen cannot be kept in {file}: {error}. Give one with --secret.") from None
