"""How event streams end that end well."""

import re
from typing import Any, Final

from sidecar.sse import blocks, event_of
from sidecar_cache.fitness.documents import decode
from sidecar_cache.forms.pieces import DONE, UNREADABLE

#: Streams of these end in `DONE`, whatever else they say.
_DONE_LAST: Final = frozenset(("agents.completions", "chat.completions", "completions", "fim.completions"))
#: By endpoint, what the last event with content is: a member, and what it may be.
_LAST: Final[dict[str, tuple[str, frozenset[Any]]]] = {
    "audio.speech": ("type", frozenset(("speech.audio.done",))),
    "audio.transcriptions": ("type", frozenset(("transcript.text.done", "transcription.done"))),
    "audio.translations": ("type", frozenset(("transcript.text.done",))),
    "interactions": ("event_type", frozenset(("interaction.completed", "interaction.complete"))),
    "messages": ("type", frozenset(("message_stop",))),
    "responses": ("type", frozenset(("response.completed",))),
    "tts.sse": ("done", frozenset((True,))),
}
#: What may follow that.
_PING: Final = "ping"
_TAILS_BYTES: Final = (4 * 1024, 64 * 1024)
_LAST_EVENTS: Final = 3
#: Of all others: how any stream known here ends. In what is said quotation marks are escaped.
_ANY: Final = re.compile(
    rb'\A\[DONE\]\s*\Z|"done"\s*:\s*true|"finishReason"\s*:|"type"\s*:\s*"(?:message_stop|response\.completed'
    rb'|speech\.audio\.done|transcript\.text\.done|transcription\.done)"'
)


def ended(endpoint: str, stream: bytes) -> bool:
    """Whether a stream of events of that endpoint was said to its end."""
    datas = _last_events(stream)
    if not datas:
        return False
    if endpoint in _DONE_LAST:
        return datas[-1] == DONE
    if endpoint not in _LAST:
        return _ANY.search(datas[-1]) is not None
    name, values = _LAST[endpoint]
    while datas:
        data = datas.pop()
        if data == DONE:
            continue
        try:
            event = decode(data)
        except UNREADABLE:
            return False
        if not isinstance(event, dict):
            return False
        if event.get("type") != _PING:
            said = event.get(name)
            return isinstance(said, str | bool) and said in values
    return False


def _last_events(stream: bytes) -> list[bytes]:
    """The data of the last events, as many as matter."""
    for tail in (*(stream[-size:] for size in _TAILS_BYTES), stream):
        is_all = len(tail) == len(stream)
        datas: list[bytes] = []
        for block in reversed(blocks(tail)[0 if is_all else 1 :]):  # the first of a tail may be cut
            if (event := event_of(block)) is not None:
                datas.append(event.data)
                if len(datas) == _LAST_EVENTS:
                    return datas[::-1]
        if is_all:
            return datas[::-1]
    return []
