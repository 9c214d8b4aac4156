"""The command `signalpost`. Only `serve`, `db` and `keys --recover` open the store; the rest calls a gateway."""
