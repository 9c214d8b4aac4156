from signalpost_ntfy import Ntfy

from signalpost.testing import Conformance, reply


class TestNtfy(Conformance):
    kind = Ntfy
    connection = {"server": "https://ntfy.sh", "token": "tk_a_token_of_mine"}
    config = {"topic": "contracts", "text": "{{ document.title }} is signed"}
    accepted = reply(200, {"id": "sPs71M8A2T", "event": "message", "topic": "contracts"})
    refused = (reply(403, {"code": 40301, "error": "forbidden"}), reply(429, {"code": 42901, "error": "limit reached"}))
