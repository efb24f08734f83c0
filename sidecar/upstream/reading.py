"""Answers, taken one after another out of the bytes of a connection.

llhttp (by httptools) checks every byte and finds the ends. The head is not taken apart: once llhttp has accepted it, it
is cut out of the bytes as a block.
"""

import httptools

from sidecar.errors import UpstreamBroken
from sidecar.upstream.answer import Answer
from sidecar.upstream.head import response_head

#: A body longer than this is counted instead of being parsed: its bytes are passed on without another copy.
_COUNTED_BYTES = 64 * 1024
_MAX_INTERIM = 10


class AnswerReader:
    """``answer``: the one that is on its way; ``keep``: whether the connection may carry another call after it."""

    def __init__(self, max_head_bytes: int) -> None:
        self.answer: Answer | None = None
        self.keep = True
        self._max_head_bytes = max_head_bytes
        self._parser = self._at_rest = httptools.HttpResponseParser(self)
        self._heads: list[int] = []
        """Statuses of the heads that the parser has accepted and that are still in the raw bytes."""
        self._raw = b""
        self._interim = 0
        """Heads that only announced the answer."""
        self._done = False
        self._left = 0
        """Bytes of a body that is counted, not parsed."""
        self._trailers: list[str] = []

    def feed(self, answer: Answer, data: bytes, now: float) -> bool:
        """Take *data* into *answer*, the present one; whether it is whole with it."""
        if self._left:
            self._count(answer, data)
        else:
            headless = not answer.status
            if headless:
                if not answer.record.first_byte:
                    answer.record.first_byte = now
                    if b"hunked" in data:  # it may end in trailers, which cost a callback per header to be told of
                        self._parser = httptools.HttpResponseParser(_TrailerAware(self))
                self._raw = self._raw + data if self._raw else data
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                answer.rest = data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                if not self._done:
                    answer.fail(UpstreamBroken(f"the provider's answer is not HTTP: {error}", begun=not headless))
                    return False
                self.keep = False  # the answer is whole, and what follows it is nonsense
            if headless and not self._take_head(answer):
                return False
        if not self._done:
            answer.arrived(now)
            return False
        if self._trailers:
            answer.record.trailers = tuple(self._trailers)
            self._trailers.clear()
        self._parser = self._at_rest
        self._done, self._interim = False, 0
        return True

    def _count(self, answer: Answer, data: bytes) -> None:
        """Take *data* as part of a body whose length is known."""
        if len(data) > self._left:
            data, self.keep = data[: self._left], False
        self._left -= len(data)
        self._done = not self._left
        answer.feed(data)

    def _take_head(self, answer: Answer) -> bool:
        """Cut the answer's own head out of the raw bytes, if it is there by now; False if that failed the answer."""
        heads = self._heads
        if not heads or heads[0] < 200:
            if not self._skip_interim(answer):
                return False
            if not heads:
                return True
        status, block = heads[0], self._raw[: self._raw.find(b"\r\n\r\n") + 2]
        self._raw = b""
        heads.clear()
        try:
            if len(block) > self._max_head_bytes:
                raise ValueError(f"it is over {self._max_head_bytes:d} bytes")
            head = response_head(block)
        except ValueError as error:
            answer.fail(UpstreamBroken(f"the head of the provider's answer cannot be used: {error}"))
            return False
        answer.set_head(status, head)
        self.keep = self.keep and not head.close
        if answer.bodiless:
            if not self._done:
                self._done = True
                self._parser = self._at_rest = httptools.HttpResponseParser(self)  # the old one waits for a body
        elif not self._done:
            if head.length is not None and head.length > _COUNTED_BYTES:
                self._left = head.length - answer.unread_bytes
                self._parser = self._at_rest = httptools.HttpResponseParser(self)  # likewise
            answer.until_close = not head.chunked and head.length is None
        return True

    def _skip_interim(self, answer: Answer) -> bool:
        """Drop the heads that only announce an answer; False if that failed the answer."""
        while self._heads and self._heads[0] < 200 and not self._switched(self._heads[0]):
            status = self._heads.pop(0)
            self._raw = self._raw[self._raw.find(b"\r\n\r\n") + 4 :]
            self._interim += 1
            if status == 101 or self._interim > _MAX_INTERIM:
                answer.fail(UpstreamBroken(f"the provider sent an unexpected {status} answer"))
                return False
        if not self._heads and len(self._raw) > self._max_head_bytes:
            answer.fail(UpstreamBroken(f"the head of the provider's answer is over {self._max_head_bytes:d} bytes"))
            return False
        return True

    # -- from httptools ------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._done:
            self.keep = False  # bytes that nobody asked for

    def on_headers_complete(self) -> None:
        self._heads.append(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        if self.answer is not None and not self._done:
            self.answer.feed(body)

    def on_message_complete(self) -> None:
        if not self._heads or self._heads[-1] >= 200 or self._switched(self._heads[-1]):
            self._done = True

    def _switched(self, status: int) -> bool:
        """Whether *status* ends HTTP as it was asked to; the other ones below 200 announce an answer."""
        return status == 101 and self.answer is not None and self.answer.upgrade

    @property
    def headed(self) -> bool:
        """Whether the head that the parser has just accepted is an answer's, not an interim one's."""
        return bool(self._heads) and self._heads[-1] >= 200

    def trailer(self, name: str) -> None:
        self._trailers.append(name)


class _TrailerAware:
    """Passes on what the parser says, and tells of trailers."""

    def __init__(self, reader: AnswerReader) -> None:
        self._reader = reader
        self._headed = False
        self.on_message_begin = reader.on_message_begin
        self.on_body = reader.on_body
        self.on_message_complete = reader.on_message_complete

    def on_headers_complete(self) -> None:
        self._reader.on_headers_complete()
        self._headed = self._reader.headed

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            self._reader.trailer(name.decode("latin-1"))
