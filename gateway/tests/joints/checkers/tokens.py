"""A token is asked for now and then, whatever the vendor answers; nothing is sent with forgotten credentials."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.network import VendorCall

WITHIN = 60.0
MOST = 12
"""The most requests for a token within that time: tokens of these worlds end after a minute or later, one more may be
asked for because a call was refused, and there are two connections."""


class Tokens(Checker):
    def token_asked(self, call: VendorCall) -> None:
        asked = [
            each for each in self.world.tokens_asked if call.at - WITHIN < each.at and each.process == call.process
        ]
        if len(asked) > MOST:
            self.fail(f"{len(asked)} requests for a token within {WITHIN:.0f} s")
