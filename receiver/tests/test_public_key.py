"""Public keys in the place of secrets: what is none, and that none is ever taken for a secret."""

import base64
import subprocess
import sys

import pytest

from signalpost_receiver import ConfigError, Receiver

KEY = "whpk_" + base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "text",
    [
        "whpk_",
        "whpk_AAAA",
        "whpk_?",
        KEY[:-1],
        KEY + "=",
        KEY.replace("whpk_", "whpk_ "),
        "whpk_my own secret",
        "whpk_ä",
    ],
)
def test_what_is_no_public_key_is_refused_and_never_a_secret(text: str) -> None:
    with pytest.raises(ConfigError, match="a public key must be"):
        Receiver(secrets=["the old token", text])


def test_without_the_package_a_public_key_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from signalpost_receiver import ConfigError, Receiver\n"
        "Receiver(secrets='the old token')\n"
        f"try: Receiver(secrets={KEY!r})\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'signalpost-receiver[ed25519]'" in done.stdout
