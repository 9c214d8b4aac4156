"""Whether a client reads its answers fast enough: `MIN_TAKEN_BYTES` of them in a minute."""

MIN_TAKEN_BYTES = 64 * 1024
TAKING_WAITS = 6
"""How many waits for a request make a minute."""


class AnswerTaking:
    def __init__(self) -> None:
        self.written = 0
        """Bytes of answers in all, those included that the client did not read yet."""
        self._taken = 0
        """How many of them it had read a minute ago."""
        self._waits = 0

    def is_too_slow(self, untaken: int) -> bool:
        """A wait is over, at whose end so many bytes are not read yet."""
        self._waits += 1
        if self._waits < TAKING_WAITS:
            return False
        before = self._taken
        self._waits, self._taken = 0, self.written - untaken
        return self._taken - before < MIN_TAKEN_BYTES
