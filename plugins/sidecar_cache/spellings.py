"""Identities by the very bytes of bodies: what is asked often is mostly spelled alike, and looking it up is a tenth of
the work of reading it.
"""

from collections import OrderedDict
from typing import Final

from sidecar_cache.identity import Head, Identity, Opening

#: The largest body that is remembered, and what all of them and their identities hold together.
_MOST_BODY_BYTES: Final = 16 * 1024
MOST_BYTES: Final = 2 * 1024 * 1024
_OVERHEAD_BYTES: Final = 640

_Spelled = tuple[bytes, str, str, bytes]


class Spellings:
    """Bounded; the one that was kept first goes first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._known: OrderedDict[_Spelled, Identity] = OrderedDict()
        self.held_bytes = 0

    def recall(self, opening: Opening, head: Head, data: bytes) -> Identity | None:
        # by the whole content type: its parameters may say what the bytes are
        if len(data) > _MOST_BODY_BYTES:
            return None
        return self._known.get((opening.digest, opening.delivery, head.content_type, data))

    def keep(self, opening: Opening, head: Head, data: bytes, identity: Identity) -> None:
        if len(data) > _MOST_BODY_BYTES:
            return
        spelled = (opening.digest, opening.delivery, head.content_type, data)
        if (before := self._known.get(spelled)) is not None:
            if before.key != identity.key:
                self._known[spelled] = identity.alone
            return
        self._known[spelled] = identity.alone
        self.held_bytes += _held_bytes(spelled)
        while self.held_bytes > self._most_bytes:
            self.held_bytes -= _held_bytes(self._known.popitem(last=False)[0])


def _held_bytes(spelled: _Spelled) -> int:
    return len(spelled[3]) + len(spelled[2]) + _OVERHEAD_BYTES
