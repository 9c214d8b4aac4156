"""`signalpost subscriptions import`: endpoints of Svix, Convoy and Outpost as a file that `subscriptions apply` takes.

- `answers`: what the other system's API answered, now or into a file.
- `svix`, `convoy`, `outpost`: read such answers. Pure.
- `former`: an endpoint as any of them has it.
- `moved`: the tables and secrets that endpoints become, and what could not be carried over. Pure.
- `command`: asks, writes the folder, and says what is in it.
"""
