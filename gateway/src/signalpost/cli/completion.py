"""`signalpost --install-completion`: has a shell complete commands and options."""

from cyclopts.completion.install import create_install_completion_command

from signalpost.cli.app import app

install = create_install_completion_command(app.install_completion, add_to_startup=True)
