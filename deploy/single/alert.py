"""Tells people that a unit failed, with the last lines of its log: alert.py signalpost-check.service

ALERT_URL is an address that takes {"text": "…"}, such as an incoming webhook of Slack. Without it, the alert is in the
journal alone.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request

LINES = "20"
unit = sys.argv[1]
journal = ["journalctl", "--unit", unit, "--lines", LINES, "--output", "cat", "--no-pager"]
try:
    log = subprocess.run(journal, capture_output=True, text=True, check=False).stdout
except FileNotFoundError:
    log = ""
text = f"{unit} failed on {socket.gethostname()}.\n{log}"
print(text, file=sys.stderr)
if url := os.environ.get("ALERT_URL"):
    request = urllib.request.Request(url, json.dumps({"text": text}).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=20).close()
