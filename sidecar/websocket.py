"""What can be seen of a WebSocket's frames (RFC 6455 section 5.2) while their bytes are passed on untouched. No I/O."""

import time

from sidecar.notes import Key

_CONTINUATION, _TEXT, _BINARY, _CLOSE = 0x0, 0x1, 0x2, 0x8


class FrameReader:
    """Counts the frames of one direction. Payloads are skipped, not kept; a close frame's code is read.

    What cannot be a frame ends the reading, never the relaying: ``broken`` is set and the rest is ignored.
    """

    __slots__ = (
        "_code",
        "_head",
        "_opcode",
        "_skip",
        "broken",
        "close_code",
        "first_message",
        "last_message",
        "longest_gap_seconds",
        "messages",
        "payload_bytes",
    )

    def __init__(self) -> None:
        self.messages = 0
        """Text and binary messages, however many frames they came in."""
        self.payload_bytes = 0
        self.first_message = 0.0
        """Monotonic; 0.0 for none."""
        self.last_message = 0.0
        self.longest_gap_seconds = 0.0
        self.close_code: int | None = None
        self.broken = False
        self._head = b""
        self._skip = 0
        self._opcode = 0
        self._code: bytearray | None = None

    def feed(self, data: bytes) -> None:
        position, end = 0, len(data)
        while position < end and not self.broken:
            if self._skip:
                step = min(self._skip, end - position)
                if self._code is not None:
                    self._code += data[position : position + step]
                self._skip -= step
                position += step
                if not self._skip:
                    self._frame_ended()
                continue
            need = self._head_length(self._head)
            taken = data[position : position + need - len(self._head)]
            self._head += taken
            position += len(taken)
            if len(self._head) >= 2 and len(self._head) == self._head_length(self._head):
                self._frame_begins()

    @staticmethod
    def _head_length(head: bytes) -> int:
        """Bytes before the payload, as far as *head* tells: without the mask, which is counted with the payload."""
        if len(head) < 2:
            return 2
        return 2 + {126: 2, 127: 8}.get(head[1] & 0x7F, 0)

    def _frame_begins(self) -> None:
        head, self._head = self._head, b""
        self._opcode = opcode = head[0] & 0x0F
        masked = bool(head[1] & 0x80)
        length = head[1] & 0x7F if len(head) == 2 else int.from_bytes(head[2:])
        if 0x3 <= opcode <= 0x7 or opcode > 0xA or length >= 1 << 63:
            self.broken = True
            return
        self._skip = length + (4 if masked else 0)
        if opcode in (_TEXT, _BINARY):
            self.messages += 1
            now = time.monotonic()
            if not self.first_message:
                self.first_message = now
            else:
                self.longest_gap_seconds = max(self.longest_gap_seconds, now - self.last_message)
            self.last_message = now
        if opcode in (_TEXT, _BINARY, _CONTINUATION):
            self.payload_bytes += length
        self._code = bytearray([masked]) if opcode == _CLOSE and length >= 2 else None
        if opcode == _CLOSE and length < 2:
            self.close_code = 1005  # no code given (section 7.4.1)
        if not self._skip:
            self._frame_ended()

    def _frame_ended(self) -> None:
        if self._code is None:
            return
        masked, raw, self._code = bool(self._code[0]), self._code[1:], None
        if masked:
            mask, raw = raw[:4], raw[4:]
            raw = bytearray(byte ^ mask[index % 4] for index, byte in enumerate(raw[:2]))
        self.close_code = int.from_bytes(raw[:2])


class SocketTraffic:
    """Both directions of a relayed WebSocket; bytes include the framing."""

    __slots__ = ("agent_bytes", "from_agent", "from_provider", "provider_bytes")

    def __init__(self) -> None:
        self.agent_bytes = self.provider_bytes = 0
        self.from_agent = FrameReader()
        self.from_provider = FrameReader()

    @property
    def close_code(self) -> int | None:
        """What was given as the reason of the end; None if nobody said goodbye."""
        return self.from_agent.close_code or self.from_provider.close_code


#: Where an exchange's notes keep it.
TRAFFIC: Key[SocketTraffic] = Key("socket_traffic")
