"""Which calls somebody wants to see: ``op:tts provider:openai status:>=500 ttfb>300ms -model:gpt-4o "some text"``.

A term is ``field:value``, ``field<op>number`` or a text; all terms must hold, and ``-`` in front of one turns it round.
What a call has no value for matches no term. No I/O.
"""

import difflib
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from sidecar.journal import CallTold
from sidecar.units import Duration, Size

Test = Callable[[CallTold], bool]
Number = Callable[[str], float]

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(r"(?P<field>[a-z][a-z0-9_-]*)(?P<by>:(?:[<>]=?|!?=)?|[<>]=?|!?=)(?P<value>.*)", re.DOTALL)
#: What the command line must not take for an option.
NEGATED = re.compile(r'-(?:"|[a-z][a-z0-9_-]*(?:[:<>=]|!=))')
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class InvalidSelection(ValueError):
    """A term makes no sense; ``str()`` says which, and what would."""


class Words(Struct, frozen=True):
    """A field that has a word, or several."""

    of: Callable[[CallTold], Iterable[str | None]]
    help: str


class Amount(Struct, frozen=True):
    """A field that has a number."""

    of: Callable[[CallTold], float | None]
    read: Number
    help: str


class Switch(Struct, frozen=True):
    of: Callable[[CallTold], bool]
    help: str


Field = Words | Amount | Switch

FIELDS: Final[Mapping[str, Field]] = {
    "op": Words(lambda call: (call.operation,), "operation: chat, stt, tts, realtime, passthrough"),
    "provider": Words(lambda call: (call.provider,), "whom the agent called"),
    "answered": Words(lambda call: (call.answered_by,), "who answered: a provider, or a plugin such as cache"),
    "tried": Words(lambda call: (attempt.provider for attempt in call.attempts), "any provider that was tried"),
    "model": Words(lambda call: (call.model,), "model asked for"),
    "voice": Words(lambda call: (call.voice,), "voice asked for"),
    "language": Words(lambda call: (call.language,), "language asked for"),
    "format": Words(lambda call: (call.format,), "audio format asked for"),
    "endpoint": Words(lambda call: (call.endpoint,), "endpoint: chat.completions, audio.speech"),
    "method": Words(lambda call: (call.method,), "HTTP method"),
    "path": Words(lambda call: (call.path,), "path at the provider"),
    "door": Words(lambda call: (call.door,), "how it came in: base_url, port, forward, connect, transparent"),
    "outcome": Words(lambda call: (call.outcome,), "completed, failed, cancelled (the agent left)"),
    "error": Words(
        lambda call: (call.error_kind, *(attempt.error_kind for attempt in call.attempts)),
        "kind of an error: connection_refused, http_response_timeout",
    ),
    "fault": Words(lambda call: (fault.plugin for fault in call.faults), "plugin that failed"),
    "id": Words(lambda call: (call.id, call.trace_id), "beginning of the id, or of its trace's"),
    "status": Amount(lambda call: call.status, float, "HTTP status; also 4xx, 5xx"),
    "ttfb": Amount(lambda call: call.first_byte_seconds, Duration, "time to the first byte: ttfb>300ms"),
    "took": Amount(lambda call: call.duration_seconds, Duration, "duration: took>2s"),
    "gap": Amount(lambda call: call.longest_gap_seconds, Duration, "longest pause within the answer"),
    "up": Amount(lambda call: call.request_bytes, Size, "bytes from the agent: up>1MB"),
    "down": Amount(lambda call: call.response_bytes, Size, "bytes to the agent"),
    "chunks": Amount(lambda call: call.chunks, float, "chunks of the answer"),
    "attempts": Amount(lambda call: len(call.attempts), float, "providers tried"),
    "faults": Amount(lambda call: len(call.faults), float, "plugins' failures"),
    "stream": Switch(lambda call: call.stream, "whether a streamed answer was asked for: true, false"),
}


class Selection:
    """Callable with a call: whether it is wanted."""

    def __init__(self, terms: Sequence[str], plugins: Collection[str] | None = None) -> None:
        """
        Args:
            terms: as on the command line; one may hold several, with spaces between them.
            plugins: names that can be fields too, for their verdicts: ``cache:hit``. None: every name can.

        Raises:
            InvalidSelection: a term makes no sense.
        """
        self._tests = [_term(token, plugins) for token in _tokens(terms)]

    def __call__(self, call: CallTold) -> bool:
        return all(test(call) for test in self._tests)


def _tokens(terms: Iterable[str]) -> Iterator[str]:
    for text in terms:
        if text.count('"') % 2:
            raise InvalidSelection(f"{text}: a double quote has no partner")
        yield from _TOKEN.findall(text)


def _term(token: str, plugins: Collection[str] | None) -> Test:
    negated, text = token.startswith("-"), token.removeprefix("-")
    matched = _TERM.fullmatch(text)
    test = _containing(_unquoted(text)) if matched is None else _field(matched, text, plugins)
    return (lambda call: not test(call)) if negated else test


def _field(matched: re.Match[str], term: str, plugins: Collection[str] | None) -> Test:
    name, by, value = matched["field"], matched["by"].removeprefix(":"), _unquoted(matched["value"])
    if not value:
        raise InvalidSelection(f"{term}: there is no value")
    field = FIELDS.get(name)
    if field is None:
        if plugins is not None and name not in plugins:
            raise InvalidSelection(_unknown(name, term, plugins))
        field = Words(lambda call: (each.outcome for each in call.verdicts if each.plugin == name), "")
    if isinstance(field, Amount):
        return _amount(field, name, by, value, term)
    if by not in ("", "=", "!="):
        raise InvalidSelection(f"{term}: {name} is no number; expected {name}:{value}")
    if isinstance(field, Switch):
        return _inverted(_switch(field, value, term), by)
    patterns = [f"{word}*" if name == "id" else word for word in value.lower().split(",")]
    of = field.of

    def any_word(call: CallTold) -> bool:
        return any(fnmatchcase(word.lower(), pattern) for word in of(call) if word for pattern in patterns)

    return _inverted(any_word, by)


def _inverted(test: Test, by: str) -> Test:
    return (lambda call: not test(call)) if by == "!=" else test


def _switch(field: Switch, value: str, term: str) -> Test:
    if value not in ("true", "false"):
        raise InvalidSelection(f"{term}: expected true or false")
    return lambda call: field.of(call) == (value == "true")


def _amount(field: Amount, name: str, by: str, value: str, term: str) -> Test:
    if name == "status" and by in ("", "=") and re.fullmatch(r"[1-5]xx", value):
        hundred = int(value[0])
        return lambda call: call.status is not None and call.status // 100 == hundred
    compare = _COMPARISONS[by]
    try:
        limit = field.read(value)
    except ValueError as error:
        wrong = ", ".join(str(part) for part in error.args) if field.read is not float else f"{value} is no number"
        raise InvalidSelection(f"{term}: {wrong}; expected something like {name}{_EXAMPLES[field.read]}") from None

    def test(call: CallTold) -> bool:
        amount = field.of(call)
        return amount is not None and compare(amount, limit)

    return test


_EXAMPLES: Final[Mapping[Number, str]] = {Duration: ">300ms", Size: ">64KiB", float: ">=2"}


def _containing(text: str) -> Test:
    wanted = text.lower()

    def test(call: CallTold) -> bool:
        return any(wanted in part.lower() for part in _texts(call) if part)

    return test


def _texts(call: CallTold) -> Iterator[str | None]:
    yield from (call.id, call.provider, call.answered_by, call.endpoint, call.path, call.model, call.voice, call.error)
    yield from (text for verdict in call.verdicts for text in (verdict.plugin, verdict.outcome, verdict.reason))
    yield from (text for fault in call.faults for text in (fault.plugin, fault.reason))
    yield from (attempt.error for attempt in call.attempts)


def _unquoted(text: str) -> str:
    return text.replace('"', "")


def _unknown(name: str, term: str, plugins: Collection[str]) -> str:
    known = [*FIELDS, *plugins]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f'{term}: no field is called {name}; {hint} For a text, write "{term}" within single quotes'
