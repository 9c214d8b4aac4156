"""`signalpost subscriptions apply` and `export`: subscriptions and connections as a file.

What the file says is brought about; what it leaves open stays as it is. Entries are known by their names. The gateway
shows no secret, so one can be sent but not compared: a change of nothing but a secret is sent only when asked for.
"""
