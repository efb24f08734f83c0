"""What to do about a call that did not end well. No I/O."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sidecar.cli.line import OURS
from sidecar.cli.quantities import seconds
from sidecar.journal import AttemptTold, CallTold

#: By the kind of an error: what to do about it at that provider.
_ABOUT_ERRORS: Final[Mapping[str, str]] = {
    "connection_refused": "nothing takes connections at {server}: look at providers.{provider}.url, and whether a "
    "network policy lets this pod out; sidecar doctor --providers tries it",
    "connection_timeout": "{server} does not take connections in time: look at firewalls and egress policies; "
    "providers.{provider}.timeouts.connect is how long it may take",
    "dns_error": "the name in {server} is not known here: look for a typing error in providers.{provider}.url, and at "
    "the pod's DNS; sidecar doctor --providers tries it",
    "tls_certificate_error": "the certificate of {server} is signed by nobody we trust: name its CA with "
    "providers.{provider}.ca_file (or tls.extra_ca_files), or look who else ends TLS on the way",
    "tls_protocol_error": "{server} does not speak TLS as expected: look whether it should be http:// in "
    "providers.{provider}.url",
    "connection_limit_reached": "all connections to {provider} are in use: raise upstream.max_connections, or look "
    "why its calls take so long (sidecar tail provider:{provider})",
    "connection_terminated": "{provider} ended the connection before the answer was whole: its logs or status page "
    "may say why; a call that was heard is not repeated by itself",
    "http_protocol_error": "what came from {server} is no HTTP answer: look whether providers.{provider}.url has the "
    "right port and scheme",
    "destination_ip_prohibited": "forward.deny keeps calls from there; name it in forward.allow if it is meant",
    "destination_not_found": "nothing is configured for where this call wants to go: add it under providers:",
    "proxy_internal_error": "a plugin with on_fault: fail stopped the call, or the sidecar has a defect: its log says "
    "more about this id",
}

_PHASES: Final[Mapping[str, str]] = {
    "connect": "no connection in time: look at firewalls and egress policies; providers.{provider}.timeouts.connect "
    "is how long it may take",
    "first byte": "{provider} took the request and began no answer in time: providers.{provider}.timeouts.first_byte "
    "is how long it may think",
    "between chunks": "the answer stopped flowing: providers.{provider}.timeouts.between_chunks is the longest pause",
    "total": "the whole call took too long: providers.{provider}.timeouts.total limits it, and so does what the "
    "agent's SDK says it will wait",
}

#: By the status that a provider answered with.
_ABOUT_STATUSES: Final[Mapping[int, str]] = {
    400: "{provider} does not accept the request as it is; its answer, which the agent got, says why",
    401: "{provider} does not accept the credential. If providers.{provider}.credential is set, that one was sent, "
    "otherwise the agent's own: sidecar config show tells",
    402: "{provider} wants to be paid: look at the account's balance",
    403: "{provider} knows the credential and forbids this: look at the key's rights, the project and the region",
    404: "{provider} has no such path, model or voice. The path there was {path}: with a base URL, look whether /v1 is "
    "there once and only once",
    408: "{provider} waited too long for the request",
    413: "the request is too large for {provider}",
    422: "{provider} does not accept the request as it is; its answer, which the agent got, says why",
    429: "{provider} limits the rate, the number of calls at a time, or what may be spent; its answer, which the agent "
    "got, says which. Fewer calls at once, a cache, or a further provider help",
    529: "{provider} is overloaded; a further provider would help",
}
_SERVER_FAILED = "{provider} failed by itself: its status page may say more"
_AGENT_LEFT = (
    "the agent closed the connection {when}: its SDK's time-out, an interrupted turn, or its end. The provider's call "
    "was ended with it"
)


def hints(call: CallTold) -> list[str]:
    """What to do, most likely first; nothing for a call that went well."""
    return list(dict.fromkeys(_hints(call)))


def _hints(call: CallTold) -> Iterator[str]:
    attempt = call.attempts[-1] if call.attempts else None
    if call.error_kind == "agent_left":
        yield _AGENT_LEFT.format(when=_when(call))
    elif call.error_kind is not None:
        yield from _about(call, attempt, call.error_kind, call.error or "")
    elif call.status is not None and call.answered_by != OURS:
        yield from _about_status(call, call.status)
    for other in call.attempts:
        if other.error_kind is not None and other.error_kind not in ("agent_left", call.error_kind):
            yield from _about(call, other, other.error_kind, other.error or "")
    if call.faults:
        plugins = ", ".join(dict.fromkeys(fault.plugin for fault in call.faults))
        yield f"{plugins} failed by itself, which is a defect of the plugin: the sidecar's log has the traceback"


def _about(call: CallTold, attempt: AttemptTold | None, kind: str, error: str) -> Iterator[str]:
    fill = _filling(call, attempt)
    if kind in ("http_response_timeout", "connection_timeout"):
        hint = next((hint for phase, hint in _PHASES.items() if error.startswith(phase)), None)
        if hint is not None:
            yield fill(hint)
            return
    if kind in _ABOUT_ERRORS:
        yield fill(_ABOUT_ERRORS[kind])


def _about_status(call: CallTold, status: int) -> Iterator[str]:
    fill = _filling(call, call.attempts[-1] if call.attempts else None)
    if status in _ABOUT_STATUSES:
        yield fill(_ABOUT_STATUSES[status])
    elif status >= 500:
        yield fill(_SERVER_FAILED)


def _filling(call: CallTold, attempt: AttemptTold | None) -> Callable[[str], str]:
    provider = call.provider if attempt is None else attempt.provider
    server = provider if attempt is None else attempt.server
    return lambda text: text.format(provider=provider, server=server, path=call.path)


def _when(call: CallTold) -> str:
    if call.first_byte_seconds is None:
        return f"after {seconds(call.duration_seconds)}, before it had any of the answer"
    return f"after {seconds(call.duration_seconds)}, in the middle of the answer"
