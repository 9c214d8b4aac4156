"""Every command of `signalpost`: where it is, and its help in the list of commands.

A command is imported only when it is called, because importing all of them takes longer than most of them run. That is
why their help is here.
"""

from collections.abc import Mapping

_SERVE = """Run a gateway on this machine until Ctrl-C or SIGTERM.

Every option is also an environment variable: --data-dir is SIGNALPOST_DATA_DIR.

Example: signalpost serve --data-dir ./data --port 8080
"""
_CHECK = """Examine this installation: settings, permissions, disk, clock, certificate, backup, and what would be lost.

Run it as the gateway's user and with the gateway's settings, as the units in `deploy/single` do. It changes nothing.
The exit code is 1 if there is a fault. A receiver is examined by `signalpost doctor`.

Example: signalpost check --data-dir ./data
"""
_KEYS = """Create, list and revoke API keys; recover if you lost all of them.

If every operator's key is lost, stop the gateway and create a new one on its machine with --recover.

Example: signalpost keys --recover --data-dir ./data
"""
_MEMBERS = """Invite, list, change and remove the people who sign in to the console.

Example: signalpost members invite ada@example.com --role subscriber
"""
_CONSOLE = """Create a link that signs you in to the console, once, within 15 minutes.

Example: signalpost console
"""
_NODES = """List the nodes that share the database, and how many subscriptions each delivers for.

Example: signalpost nodes
"""
_PORTAL_LINKS = """Create, list and revoke links that let customers see their own subscriptions.

Example: signalpost portal-links create Acme --can test --can retry
"""
_REPLAY = """Resend the failed, the waiting, or all deliveries of a period.

Each delivery that failed or was delivered gets a full budget of attempts. One that waits for its retry gets its
next attempt now. A replay queues them gradually, and can be cancelled.

Example: signalpost replay --since 2h --failed --dry-run
"""
_OVERVIEW = """Show what needs attention now, worst first.

Shows endpoints that fail or lag behind, with the likely cause; the last hour; running replays; secrets and
certificates that expire soon.

Example: signalpost overview
"""
_SEARCH = """Find events, documents and subscriptions by an id, or a part of a title, an address, a name or a URL.

Example: signalpost search "Master agreement"
"""
_STATS = """Count attempts by outcome, by minute or hour. Minutes without an attempt are left out.

Example: signalpost stats --step hour --from 2d
"""
_STATUS = """Show whether the gateway is ready, and the state of its subscriptions, worst first.

Example: signalpost status
"""
_WHY = """Explain what happened to an event at each subscription.

Example: signalpost why 01a20e92-1d2e-7800-9367-c582ce4230bd
"""
_EMULATOR = """Run a gateway for tests: empty, in a temporary folder, delivering to this machine.

It runs until Ctrl-C. The first line has the address and the key. Calls below /emulator create events, wait for
deliveries and reset it.

Example: signalpost emulator --port 0 --json
"""
_LISTEN = """Follow a gateway's events, and forward them to a receiver on this machine.

Each event is sent byte for byte as the gateway would send it, signed with a secret that stays the same. If no gateway
runs, an emulator is started. Whatever the receiver answers, the next event follows, until Ctrl-C.

Example: signalpost listen --forward-to 9000 --chaos dup,reorder
"""
_TRIGGER = """Cause an event of a realistic document, with the attributes that you set.

A gateway really imports a sample document (and then changes or deletes it), so the events are in its log, and
every subscription gets them. With --to, the command signs and sends the event itself, without a gateway.

Example: signalpost trigger documentUpdated --set status=executed

Example: signalpost trigger documentCreated --to http://127.0.0.1:9000 --secret 'a secret of mine'
"""
_DOCTOR = """Examine a receiver with genuine, forged, repeated, late and malformed requests, and say what to fix.

The requests look real, so examine a test receiver only. The exit code is 1 if it breaks a rule.

Example: signalpost doctor http://127.0.0.1:9000 --secret 'a secret of mine'

With --inspect 'http://127.0.0.1:9000/documents/{externalId}', which answers {"handled": 1, "title": "…"}, it also
checks that the receiver handles events once, in order, and only if they are genuine.
"""
_SIGN = """Sign a body on standard input, and print the headers that go with it.

They are the HMAC-SHA512 of the webhooks page, and those of Standard Webhooks.

Example: signalpost sign < event.json > headers && curl -H @headers --data-binary @event.json http://127.0.0.1:9000
"""
_VERIFY = """Check the signatures of a body on standard input, or evidence of a delivery in a file; say what is wrong.

The exit code is 0 if at least one signature matches, or the file is unchanged; 1 if not; 2 if the command was not
understood. No gateway is asked.

Example: signalpost verify --signature 3c59dc048e… < body.json

Example: signalpost verify evidence.json --keys keys.json
"""

Commands = Mapping[str, str]
"""The help of each command, by where the command is (`module:name`), in the order of lists."""

GATEWAY_COMMANDS: Commands = {
    "signalpost.cli.commands.serve:serve": _SERVE,
    "signalpost.cli.commands.check:check": _CHECK,
    "signalpost.cli.commands.db:app": (
        "Check, back up, restore, prune and measure the database; check the files of versions."
    ),
}
CLIENT_COMMANDS: Commands = {
    "signalpost.cli.commands.audit:app": "See who changed what, and verify that nobody tampered with that record.",
    "signalpost.cli.commands.connections:app": "Give the gateway access to vendors, and test it.",
    "signalpost.cli.commands.console:console": _CONSOLE,
    "signalpost.cli.commands.deliveries:app": "Inspect deliveries, follow them live, and resend one.",
    "signalpost.cli.commands.destinations:app": "List the kinds of destinations and their presets.",
    "signalpost.cli.commands.documents:app": (
        "List, create, read, change, delete and import documents; their versions, workflow and history."
    ),
    "signalpost.cli.commands.erasures:app": "Show the progress of erasures of tenants and documents.",
    "signalpost.cli.commands.events:app": "Read the log of events, and follow it live.",
    "signalpost.cli.commands.keys:app": _KEYS,
    "signalpost.cli.commands.members:app": _MEMBERS,
    "signalpost.cli.commands.nodes:nodes": _NODES,
    "signalpost.cli.commands.notices:app": "List what is wrong now, and mute it for a while.",
    "signalpost.cli.commands.overview:overview": _OVERVIEW,
    "signalpost.cli.commands.portal_links:app": _PORTAL_LINKS,
    "signalpost.cli.commands.replay:app": _REPLAY,
    "signalpost.cli.commands.search:search": _SEARCH,
    "signalpost.cli.commands.sources:app": "List what feeds a tenant, and remove what feeds it no more.",
    "signalpost.cli.commands.stats:stats": _STATS,
    "signalpost.cli.commands.status:status": _STATUS,
    "signalpost.cli.commands.subscriptions:app": "Set up subscriptions, test their endpoints and check their state.",
    "signalpost.cli.commands.tenants:app": (
        "Create, list, pause, resume, limit and delete tenants, and set how long to keep events."
    ),
    "signalpost.cli.commands.why:why": _WHY,
}
RECEIVER_COMMANDS: Commands = {
    "signalpost.cli.commands.doctor:doctor": _DOCTOR,
    "signalpost.cli.commands.emulator:emulator": _EMULATOR,
    "signalpost.cli.commands.listen.command:listen": _LISTEN,
    "signalpost.cli.commands.trigger:trigger": _TRIGGER,
    "signalpost.cli.commands.signatures:sign": _SIGN,
    "signalpost.cli.commands.signatures:verify": _VERIFY,
}
