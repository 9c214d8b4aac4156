"""What was answered with a success is found at every node, at once (API page: Documents)."""

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.documents import Subject
from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.world.model.wishes import Wish


class Everywhere(Checker):
    def answered(self, asked: ClientCall) -> None:
        others = [each for each in self.world.running if each.has_started and not each.is_frozen]
        if len(others) < 2 or not asked.is_done or asked.method != "POST":
            return
        path = None
        if isinstance(asked.about, Wish) and asked.path == "/v1/subscriptions":
            path = f"/v1/subscriptions/{asked.about.id}"
        elif isinstance(asked.about, Subject) and asked.path == "/v1/documents":
            path = f"/v1/documents/{asked.about.id}"
        if path is not None:
            for node in others:
                node.clients.append(node.loop.create_task(self._look(node, path, asked)))

    async def _look(self, node: JointNode, path: str, asked: ClientCall) -> None:
        answer = await node.call("GET", path)
        about = asked.about  # it may be deleted by the time that somebody looks
        is_gone = (
            about.deleted.last if isinstance(about, Wish) else isinstance(about, Subject) and not about.may_be_there
        )
        if answer.status == 404 and not is_gone:
            self.fail(f"{asked}, and process {node.number} answers 404 for {path}")
