"""Speech that is to be there before it is asked for: the requests that an agent's SDK would send. No I/O."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

import msgspec

from sidecar import Headers, Provider, Request
from sidecar_cache.config import Phrase
from sidecar_cache.tenants import Agent

#: What the official SDK of each dialect accepts, since that is in the key.
_ACCEPTED: Final = {
    "azure_openai": "application/octet-stream",
    "cartesia": "audio/wav",
    "groq": "audio/wav",
    "mistral": "application/json",
    "openai": "application/octet-stream",
}
_TARGET: Final = re.compile(r"/[!-~]*")
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")


class Unspeakable(ValueError):
    """Nothing can be asked for in this way; ``str()`` says why."""


def provider_of(phrase: Phrase, providers: Mapping[str, Provider]) -> Provider:
    """
    Raises:
        Unspeakable: it cannot be asked.
    """
    provider = providers.get(phrase.provider)
    if provider is None:
        raise Unspeakable(f"providers has no {phrase.provider}")
    if provider.dialect is None:
        raise Unspeakable(f"providers.{phrase.provider} has no dialect, and no call of it is kept")
    return provider


def endpoint_of(phrase: Phrase, provider: Provider) -> str:
    """What *provider* calls the place where *phrase* is sent; "" if it is unknown."""
    path, _, query = phrase.path.partition("?")
    call = None if provider.dialect is None else provider.dialect.recognise("POST", path, query)
    return "" if call is None else call.endpoint


def request_of(phrase: Phrase, provider: Provider, text: str, agent: Agent | None = None) -> Request:
    """*text* as *phrase* says it is spoken.

    Args:
        agent: as which it is asked for; None for any, a configured credential comes in on the way to the provider.

    Raises:
        Unspeakable: there is no such request.
    """
    if not _TARGET.fullmatch(phrase.path):
        raise Unspeakable(f"path: expected /v1/audio/speech or the like; got {phrase.path}")
    if agent is None:
        accepted = _ACCEPTED.get("" if provider.dialect is None else provider.dialect.name, "*/*")
        headers, target = Headers.of(accept=accepted, accept_encoding="gzip, deflate"), phrase.path
    else:
        headers, target = agent.headers, agent.target(phrase.path)
    for name, value in ("Content-Type", "application/json"), *phrase.headers.items():
        if not (_FIELD_NAME.fullmatch(name) and _FIELD_VALUE.fullmatch(value)):
            raise Unspeakable(f"headers: {name} or its value cannot stand in a header")
        headers = headers.without(name).adding(name, value)
    try:
        data = msgspec.json.encode(_with_text(phrase, text))
    except (UnicodeEncodeError, TypeError) as error:
        raise Unspeakable(f"it cannot be written as JSON: {type(error).__name__}") from error
    return Request(method="POST", target=target, headers=headers).with_body(data)


def _with_text(phrase: Phrase, text: str) -> dict[str, Any]:
    """The request's members, the text in its place: ``input``, or ``input.text`` for one within another."""
    members: dict[str, Any] = deepcopy(phrase.request)
    *path, last = phrase.text.split(".")
    within = members
    for name in path:
        within = within.setdefault(name, {})
        if not isinstance(within, dict):
            raise Unspeakable(f"text: {name} of {phrase.text} is no object in request")
    within[last] = text
    return members


def lines_of(content: bytes) -> Iterator[str]:
    """The texts of a file: one a line, as they stand there; empty lines are none.

    Raises:
        UnicodeDecodeError: it is not in UTF-8.
    """
    return (line for line in content.decode("utf-8-sig").replace("\r\n", "\n").split("\n") if line.strip())
