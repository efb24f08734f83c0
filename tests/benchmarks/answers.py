"""Reading an answer on the agent's side, with the moments that matter. No I/O."""

import re

_LENGTH = re.compile(rb"\n[Cc]ontent-[Ll]ength: *([0-9]+)\r")
_STAMP = re.compile(rb'"at":([0-9]{20})')
_STAMP_BYTES = 25
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Malformed(Exception):
    """What came is no answer, or more than one."""


class Answer:
    """One answer. ``first_ns`` is when the first byte of its body came; ``delays_ns`` are those of its events.

    Knows the two framings that the benchmark's answers have, and no others. The end of a chunked body is known by its
    last bytes, which nothing else in these answers looks like.
    """

    __slots__ = ("_carry", "_head", "_left", "_tail", "body_bytes", "delays_ns", "first_ns", "status")

    def __init__(self) -> None:
        self.status = 0
        self.first_ns = 0
        self.body_bytes = 0
        """As they came: with the framing of chunks."""
        self.delays_ns: list[int] = []
        self._head: bytes | None = b""
        self._left = -1
        self._tail = b""
        self._carry = b""

    def feed(self, data: bytes, now_ns: int) -> bool:
        """Take *data* that came at *now_ns*; whether the answer is whole.

        Raises:
            Malformed: the answer is not what it should be.
        """
        if self._head is not None:
            head = self._head + data
            end = head.find(b"\r\n\r\n")
            if end < 0:
                self._head = head
                return False
            self._begin(head[: end + 2])
            data = head[end + 4 :]
        if data:
            if not self.body_bytes:
                self.first_ns = now_ns
            self.body_bytes += len(data)
        if self._left >= 0:
            self._left -= len(data)
            if self._left < 0:
                raise Malformed("the answer is longer than its Content-Length")
            return not self._left
        self._stamps(data, now_ns)
        self._tail = (self._tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        return self._tail == _LAST_CHUNK

    def _begin(self, head: bytes) -> None:
        self._head = None
        if not head.startswith(b"HTTP/1.1 "):
            raise Malformed(f"the answer begins with {head[:40]!r}")
        self.status = int(head[9:12])
        if (length := _LENGTH.search(head)) is not None:
            self._left = int(length.group(1))
        elif b"chunked" not in head.lower():
            raise Malformed("the answer has neither a length nor chunks")

    def _stamps(self, data: bytes, now_ns: int) -> None:
        """Note the delay of each event in *data*, also of one that was cut in two."""
        data, end = self._carry + data, 0
        for stamp in _STAMP.finditer(data):
            self.delays_ns.append(now_ns - int(stamp.group(1)))
            end = stamp.end()
        self._carry = data[max(end, len(data) - _STAMP_BYTES + 1) :]
