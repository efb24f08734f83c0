"""A request's body as named parts, each of which is the same for bodies that say the same of it."""

from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from sidecar_cache.rules import json_values, pairs, samples
from sidecar_cache.rules.endpoint import STREAM, STREAM_WITH_USAGE, WHOLE, Endpoint, LeftOut, Members, Refusal, Takes
from sidecar_cache.rules.fields import Field, Values, of_multipart, ordered, written
from sidecar_cache.rules.turns import divided
from sidecar_cache.rules.unsuitable import Unsuitable

Parts = list[tuple[str, Values]]

#: Members or fields that are parts of their own; all further ones are one part together.
_MOST_PARTS: Final = 48
_STREAM_OPTIONS: Final = frozenset(("include_usage", "include_obfuscation"))
_FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")


def content_of(
    endpoint: Endpoint, content_type: str, media_type: str, data: bytes, by_samples: bool
) -> tuple[Members | Parts, str | None]:
    """What a body says, written in one way: a JSON object's members, or parts in order of their names; and the form in
    which the answer is wanted, None where the body does not say.

    Raises:
        Unsuitable: such a call has no key.
    """
    takes = endpoint.takes
    if media_type == "application/json" or media_type.endswith("+json"):
        if Takes.JSON in takes:
            return _of_json(endpoint, data, by_samples)
    elif media_type in _FORMS and Takes.FORM in takes:
        return _bounded(_of_form(endpoint, content_type, media_type, data, by_samples)), None
    if Takes.BYTES in takes:
        return _of_bytes(endpoint.bytes_are, content_type, data, by_samples), None
    raise Unsuitable(f"its endpoint does not take a body of type {media_type or 'unknown'}")


def parts_in(content: Members | Parts, endpoint: Endpoint) -> Parts:
    """The parts of what `content_of` gave, in order of their names; two have the same if they say the same."""
    if not isinstance(content, dict):
        return content
    members = dict(content)
    parts: Parts = []
    if endpoint.turns is not None and isinstance(turns := members.get(endpoint.turns), list):
        del members[endpoint.turns]
        for piece, some in zip(("system", "history", "last"), divided(turns), strict=True):
            parts.append((f"{endpoint.turns}.{piece}", [json_values.written(some)]))
    parts += [(f"body.{name}", [json_values.written(value)]) for name, value in members.items()]
    return _bounded(parts)


def _bounded(parts: Parts) -> Parts:
    parts.sort(key=lambda part: part[0])
    if len(parts) <= _MOST_PARTS:
        return parts
    rest: Values = []
    for name, values in parts[_MOST_PARTS:]:
        rest += (name.encode("utf-8", "surrogateescape"), b"%d" % len(values), *values)
    return [*parts[:_MOST_PARTS], ("body.…", rest)]


# -- JSON --------------------------------------------------------------------------------------------------------------


def _of_json(endpoint: Endpoint, data: bytes, by_samples: bool) -> tuple[Members, str | None]:
    members = json_values.read(data)
    if not isinstance(members, dict):
        raise Unsuitable("the request is no JSON object")
    plan = _plan(endpoint)
    concerned = members.keys() & plan.names
    for name in sorted(concerned):
        for _, asks, reason in plan.named.get(name, ()):
            if asks(members[name]):
                raise Unsuitable(reason)
    for name, asks, reason in plan.always:
        if asks(members.get(name)):
            raise Unsuitable(reason)
    members = ((by_samples and endpoint.rewrite_by_samples) or endpoint.rewrite)(members)
    for name in concerned & plan.out:
        members.pop(name, None)
    if not endpoint.streams:
        return members, None
    return members, _taken_delivery(members) if "stream" in members or "stream_options" in members else WHOLE


class _Plan(NamedTuple):
    """What is to be done with a JSON object of an endpoint, sorted by what it costs to find out."""

    always: list[Refusal]
    """Those that concern a member that is not there as well."""
    named: dict[str, list[Refusal]]
    out: frozenset[str]
    names: frozenset[str]
    """Of members that have to be looked at."""


@cache
def _plan(endpoint: Endpoint) -> _Plan:
    always, named = [], dict[str, list[Refusal]]()
    for refusal in endpoint.refusals:
        if refusal.asks(None):
            always.append(refusal)
        else:
            named.setdefault(refusal.name, []).append(refusal)
    out = frozenset(each.name for each in endpoint.members)
    return _Plan(always, named, out, out | named.keys())


def _taken_delivery(members: Members) -> str:
    """Takes from *members* what says in which form the answer is wanted, if it says no more than that."""
    stream, options = members.get("stream"), members.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        return WHOLE
    members.pop("stream", None)
    usual = options is None or (isinstance(options, dict) and options.keys() <= _STREAM_OPTIONS)
    if usual:
        members.pop("stream_options", None)
    if not stream:
        return WHOLE
    return STREAM_WITH_USAGE if isinstance(options, dict) and options.get("include_usage") else STREAM


# -- forms -------------------------------------------------------------------------------------------------------------


def _of_form(endpoint: Endpoint, content_type: str, media_type: str, data: bytes, by_samples: bool) -> Parts:
    if media_type == _FORMS[0]:
        fields: Iterable[Field] = of_multipart(content_type, data, endpoint, by_samples)
    elif (groups := pairs.of_form(data)) is None:
        return [("form", [data])]
    else:
        if endpoint.fill is not None:
            endpoint.fill(groups)
        fields = [_of_pair(name, values, endpoint) for name, values in groups.items()]
    parts: Parts = []
    for field in fields:
        for name, asks, reason in endpoint.refusals:
            if name == field.name and any(map(asks, field.texts)):
                raise Unsuitable(reason)
        if _is_left_out(endpoint.fields, field):
            continue
        parts.append((f"{'tenant' if field.name in endpoint.account else 'form'}.{field.name}", field.values))
        if field.forms:
            parts.append((f"form.{field.name} (format)", field.forms))
    return parts


def _of_pair(name: str, values: list[bytes | None], endpoint: Endpoint) -> Field:
    said: Values = [value if value is None else written(name, value, endpoint) for value in values]
    texts = [value.decode("utf-8", "replace") for value in values if value is not None]
    return Field(name, ordered(name, said, endpoint), texts, [])


def _is_left_out(out: tuple[LeftOut, ...], field: Field) -> bool:
    return any(
        each.name == field.name
        and not field.forms
        and (each.values is None or all(text in each.values for text in field.texts))
        for each in out
    )


# -- all else ----------------------------------------------------------------------------------------------------------


def _of_bytes(name: str, content_type: str, data: bytes, by_samples: bool) -> Parts:
    found = samples.read(data) if by_samples else None
    if found is not None:
        return [(name, [found.head, found.data]), (f"{name} (format)", [b"samples"])]
    # its parameters say what the bytes are: audio/l16; rate=16000
    return [(name, [data]), (f"{name} (format)", [content_type.encode()])]
