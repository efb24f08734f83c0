"""Chat completions, whole and in events. A whole one becomes few events: who waits for words gets all at once."""

from msgspec import Raw

from sidecar_cache.forms.pieces import (
    DONE,
    NULL,
    Members,
    Unconvertible,
    documents,
    encode,
    inner,
    is_text,
    is_there,
    items,
    members_of,
    number_of,
    texts,
    written,
)

_CHUNK, _WHOLE = Raw(b'"chat.completion.chunk"'), Raw(b'"chat.completion"')
_SPOKEN = "what is spoken is streamed in another shape"
#: What is put together otherwise, and what is only there to keep lengths from being told by the size of packets.
_NOT_OF_THE_ENVELOPE = frozenset(("choices", "usage", "x_groq", "obfuscation"))


class _Call:
    """A tool call that comes piece by piece."""

    def __init__(self) -> None:
        self._members: Members = {}
        self._name = NULL
        self._arguments: list[Raw] = []
        self._function: Members = {}

    def take(self, delta: Members) -> None:
        function = inner(delta, "function")
        self.take_function(function)
        for name, raw in delta.items():
            if name not in ("function", "index") and (is_there(raw) or name not in self._members):
                self._members[name] = raw

    def take_function(self, function: Members) -> None:
        for name, raw in function.items():
            if name == "arguments":
                self._arguments.append(raw)
            elif is_there(raw) or name not in self._function:
                self._function[name] = raw

    @property
    def function(self) -> dict[str, object]:
        return {**self._function, "arguments": texts(self._arguments)}

    def whole(self) -> dict[str, object]:
        return {**self._members, "function": self.function}


class _Choice:
    def __init__(self) -> None:
        self._members: Members = {}
        self._texts: dict[str, list[Raw]] = {}
        self._lists: dict[str, list[Raw]] = {}
        self._rest: Members = {}
        self._calls: dict[int, _Call] = {}
        self._function: _Call | None = None
        self._logprobs: dict[str, list[Raw]] = {}

    def take(self, fields: Members) -> None:
        for name, raw in inner(fields, "delta").items():
            self._take_delta(name, raw)
        for name, raw in inner(fields, "logprobs").items():
            self._logprobs.setdefault(name, []).extend(items({name: raw}, name))
        for name, raw in fields.items():
            if name not in ("delta", "logprobs") and (raw != NULL or name not in self._members):
                self._members[name] = raw

    def _take_delta(self, name: str, raw: Raw) -> None:
        if raw == NULL:
            self._rest.setdefault(name, raw)
        elif name == "tool_calls":
            for at, each in enumerate(items({name: raw}, name)):
                delta = members_of(each)
                index = number_of(delta.get("index", NULL))
                self._calls.setdefault(at if index is None else index, _Call()).take(delta)
        elif name == "function_call":
            self._function = self._function or _Call()
            self._function.take_function(members_of(raw))
        elif name == "audio":
            raise Unconvertible(_SPOKEN)
        elif name == "role":
            self._rest[name] = raw
        elif is_text(raw):
            self._texts.setdefault(name, []).append(raw)
        elif bytes(memoryview(raw)[:1]) == b"[":
            self._lists.setdefault(name, []).extend(items({name: raw}, name))
        else:
            self._rest[name] = raw

    def whole(self) -> dict[str, object]:
        message: dict[str, object] = {"role": "assistant", "content": None, **self._rest}
        for name, pieces in self._texts.items():
            text = texts(pieces)
            # those that call tools begin with an empty text and say nothing
            message[name] = None if name == "content" and self._calls and not text else text
        message |= self._lists
        if self._calls:
            message["tool_calls"] = [call.whole() for _, call in sorted(self._calls.items())]
        if self._function is not None:
            message["function_call"] = self._function.function
        members: dict[str, object] = {"index": 0, **self._members, "message": message}
        members["logprobs"] = self._logprobs or None
        return members


def whole(stream: bytes) -> bytes:
    """
    Raises:
        Unconvertible: something that belongs to a whole answer was not said in the stream.
    """
    answer = assembled(stream)
    if answer["usage"] == NULL:
        raise Unconvertible("the stream does not say what was used")
    return encode(answer)


def assembled(stream: bytes) -> Members:
    """What the stream says as one document, its ``usage`` null if that was not said."""
    envelope: Members = {}
    choices: dict[int, _Choice] = {}
    usage = NULL
    for document in documents(stream):
        chunk = members_of(document)
        for raw in items(chunk, "choices"):
            fields = members_of(raw)
            choices.setdefault(number_of(fields.get("index", NULL)) or 0, _Choice()).take(fields)
        own = inner(chunk, "x_groq")
        for said in (chunk.get("usage"), own.pop("usage", None)):
            usage = said if said is not None and said != NULL else usage
        for name, raw in chunk.items():
            if name in _NOT_OF_THE_ENVELOPE or envelope.get(name) == raw:
                continue
            if is_there(raw) or name not in envelope:
                envelope[name] = raw
        if own:
            envelope["x_groq"] = Raw(encode(own))
    if not choices:
        raise Unconvertible("the stream has no answer in it")
    envelope["object"] = _WHOLE
    made = [choice.whole() for _, choice in sorted(choices.items())]
    return {**envelope, "choices": Raw(encode(made)), "usage": usage}


def events(answer: bytes, family: str, *, usage: bool) -> bytes:
    """
    Args:
        family: the dialect's name; Mistral and Groq tell of usage in places of their own.
        usage: whether the agent asks for the event that says what was used.
    """
    envelope = members_of(answer)
    choices, used = items(envelope, "choices"), envelope.get("usage", NULL)
    own = inner(envelope, "x_groq")
    if used == NULL and (usage or family in ("mistral", "groq")):
        raise Unconvertible("the answer does not say what was used")
    for name in ("choices", "usage", "x_groq"):
        envelope.pop(name, None)
    head: dict[str, object] = {**envelope, "object": _CHUNK}
    told: dict[str, object] = {"usage": None} if usage and family != "mistral" else {}
    out: list[bytes] = []
    for at, raw in enumerate(choices):
        deltas = _deltas(members_of(raw))
        for number, fields in enumerate(deltas):
            extra: dict[str, object] = {}
            if number == len(deltas) - 1 and at == len(choices) - 1:
                if family == "mistral":
                    extra = {"usage": used}
                elif family == "groq":
                    extra = {"x_groq": {**own, "usage": used}}
            out.append(written({**head, "choices": [fields], **told, **extra}))
    if usage and family != "mistral":
        out.append(written({**head, "choices": [], "usage": used}))
    out.append(b"data: %b\n\n" % DONE)
    return b"".join(out)


def _deltas(choice: Members) -> list[dict[str, object]]:
    """The choices of the chunks that one choice of a whole answer becomes."""
    message = inner(choice, "message")
    if is_there(message.get("audio")):
        raise Unconvertible(_SPOKEN)
    content, calls = message.pop("content", NULL), items(message, "tool_calls")
    logprobs, finish = choice.get("logprobs", NULL), choice.get("finish_reason", NULL)
    index = choice.get("index", Raw(b"0"))
    for name in ("tool_calls", "audio"):
        message.pop(name, None)
    said: list[tuple[dict[str, object], Raw]] = []
    begun = NULL if content == NULL else Raw(b'""')
    said.append(({"role": "assistant", **message, "content": begun}, NULL))
    if content != NULL or logprobs != NULL:
        said.append(({"content": content}, logprobs))
    for number, call in enumerate(calls):
        said.append(({"tool_calls": [{"index": number, **members_of(call)}]}, NULL))
    made: list[dict[str, object]] = [
        {"index": index, "delta": delta, "logprobs": probable, "finish_reason": None} for delta, probable in said
    ]
    rest = {name: raw for name, raw in choice.items() if name not in ("message", "logprobs", "index", "finish_reason")}
    return [*made, {"index": index, "delta": {}, "logprobs": None, **rest, "finish_reason": finish}]


def tells_usage(stream: bytes) -> bool:
    """Whether a stream has the event that says what was used, which only those get who ask for it."""
    return _usage_event(stream) is not None


def without_usage(stream: bytes) -> bytes:
    """*stream* for an agent that has not asked for that event."""
    found = _usage_event(stream)
    return stream if found is None else stream[: found[0]] + stream[found[1] :]


def _usage_event(stream: bytes) -> tuple[int, int] | None:
    """Where the event stands that has usage and no choices: it is the last but `DONE`."""
    line_end = b"\r\n" if b"\r\n\r\n" in stream[-16:] else b"\n"
    separator = line_end * 2
    tail = stream.rstrip()
    end = tail.rfind(b"data: " + DONE)
    if end < 0:
        return None
    begin = tail.rfind(separator, 0, max(end - len(separator), 0))
    begin = 0 if begin < 0 else begin + len(separator)
    line = tail[begin:end].strip()
    if not line.startswith(b"data:") or b'"usage"' not in line:
        return None
    chunk = members_of(line[5:])
    return (begin, end) if not items(chunk, "choices") and is_there(chunk.get("usage")) else None
