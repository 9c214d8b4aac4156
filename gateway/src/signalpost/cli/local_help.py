"""The help of the commands for people who receive events.

Those commands are imported only when they are called: the sender and the receiver kit would make every other command
slower. Their help therefore stands here.
"""

from collections.abc import Mapping

_EMULATOR = """Run a gateway for tests: empty, in a temporary folder, delivering to this machine.

It runs until Ctrl-C. The first line says the address and the key. Calls below /emulator make events, wait for
deliveries and reset it.

Example: signalpost emulator --port 0 --json
"""
_LISTEN = """Follow a gateway's events, and forward them to a receiver on this machine.

Each event is sent byte for byte as the gateway would send it, signed with a secret that stays the same. If no gateway
runs, an emulator is started. Whatever the receiver answers, the next event follows, until Ctrl-C.

Example: signalpost listen --forward-to 9000 --chaos dup,reorder
"""
_TRIGGER = """Make an event happen: of a realistic document, with the attributes that you set.

Through a gateway, a sample document is really imported (and then changed or deleted), so its events are in the log, and
every subscription gets them. With --to, no gateway is asked: the event is signed and sent from here.

Example: signalpost trigger documentUpdated --set status=executed

Example: signalpost trigger documentCreated --to http://127.0.0.1:9000 --secret 'a secret of mine'
"""
_DOCTOR = """Attack a receiver with genuine, forged, repeated, late and malformed requests, and say what to fix.

It handles what is sent as if it were real, so try one that is for tests. Exit code 1 if it breaks a rule.

Example: signalpost doctor http://127.0.0.1:9000 --secret 'a secret of mine'

With --inspect 'http://127.0.0.1:9000/documents/{externalId}', answered by {"handled": 1, "title": "…"}, it is also
checked that events are handled once, in order, and only if they are genuine.
"""
_SIGN = """Sign a body on standard input, and print the headers that go with it.

They are the HMAC-SHA512 of the webhooks page, and those of Standard Webhooks.

Example: signalpost sign < event.json > headers && curl -H @headers --data-binary @event.json http://127.0.0.1:9000
"""
_VERIFY = """Check the signatures of a body on standard input, and say why one may not fit.

Exit code 0 if at least one signature fits, 1 if none does, 2 if the command was not understood.

Example: signalpost verify --signature 3c59dc048e… < body.json
"""

RECEIVER_COMMANDS: Mapping[str, str] = {
    "signalpost.cli.doctor:doctor": _DOCTOR,
    "signalpost.cli.emulator:emulator": _EMULATOR,
    "signalpost.cli.listen.command:listen": _LISTEN,
    "signalpost.cli.signatures:sign": _SIGN,
    "signalpost.cli.signatures:verify": _VERIFY,
    "signalpost.cli.trigger:trigger": _TRIGGER,
}
"""The help of each command, by where the command is."""
