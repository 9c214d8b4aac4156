"""A program that changes a platform's documents while a test goes on."""

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence


class Writer(ABC):
    """Creates, changes and deletes contracts, on a thread of its own. All writers change the same ones."""

    def __init__(self, documents: Sequence[str], seed: int) -> None:
        self.documents = documents
        self.chance = random.Random(seed)
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.run)
        self._thread.start()

    @abstractmethod
    def run(self) -> None:
        """Change one document after the other until it is `stopping`."""

    def stop(self) -> None:
        self.stopping.set()
        self._thread.join()
