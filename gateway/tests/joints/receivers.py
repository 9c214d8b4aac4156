"""Endpoints and a vendor that fail as the plan says, until they are told to be well.

Their answers repeat what they were sent, as those of many do."""

import json
from random import Random

from gateway.tests.joints.plan import Plan
from gateway.tests.world.network import BROKEN, HANG, REFUSED, Reply, SentRequest, VendorCall, VendorReply
from gateway.tests.world.vendors import LOST, FakeVendor


class Endpoint:
    """What answers at a host."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._plan = plan
        self._random = random
        self.is_well = False

    def answer(self, sent: SentRequest) -> Reply:
        """See `Receiver`."""
        after = 0.01 if self.is_well else self._random.choice(self._plan.reply_after)
        if self.is_well or self._random.random() >= self._plan.failing:
            return Reply(after=after, body=sent.body[:1_024])
        failed = self._random.choice((BROKEN, BROKEN, REFUSED, HANG))
        return failed._replace(after=max(failed.after, after), body=sent.body[:1_024])


class JointVendor(FakeVendor):
    """A vendor that signs in with a grant."""

    def __init__(self, plan: Plan, random: Random) -> None:
        super().__init__(sign_in="grant", token_seconds=random.choice((60.0, 1_800.0)))
        self._plan = plan
        self._random = random
        self.is_well = False
        last = plan.webhooks + plan.connectors - 1
        self._barred = f"s{last}|" if random.random() < plan.barring else None
        """What texts begin with that it lets no one send, whatever the token."""
        self.take = self._taking

    def answer(self, call: VendorCall) -> VendorReply:
        """See `Vendor`."""
        after = 0.01 if self.is_well else self._random.choice(self._plan.reply_after)
        return super().answer(call)._replace(after=after)

    def _taking(self, call: VendorCall) -> VendorReply | None:
        if self.is_well:
            return None
        if self._barred is not None and json.loads(call.body)["text"].startswith(self._barred):
            return VendorReply(401, b"{}")
        if self._random.random() >= self._plan.failing:
            return None
        refused = VendorReply(422, json.dumps({"error": json.loads(call.body).get("text")}).encode())
        limited = VendorReply(429, headers={"retry-after": "7"})
        return self._random.choice((LOST, VendorReply(503), VendorReply(503), refused, limited))
