"""A credential goes to its own provider and to nobody else. No I/O."""

import re
from typing import Final

from sidecar.exchange import Attempt, Request

#: Header fields in which the SDKs of all providers identify the agent, and who pays.
HEADERS: Final = (
    "authorization",
    "api-key",
    "ocp-apim-subscription-key",
    "x-api-key",
    "x-goog-api-key",
    "xi-api-key",
    "cookie",
    "openai-organization",
    "openai-project",
    "x-goog-user-project",
)
#: Query fields that carry a credential.
QUERY: Final = frozenset(("access_token", "api_key", "authorization", "key", "token", "xi-api-key"))

_FIELD: Final = re.compile(rf"(?<=[?&])(?:{'|'.join(map(re.escape, sorted(QUERY)))})=[^&]*(?:&|$)")


def identified(attempt: Attempt) -> Request:
    """The request of *attempt* as its provider may see it.

    The agent's credentials stay if it is the one that the agent called and no other is configured for it; else they go,
    and the configured one, if there is one, comes in.
    """
    request, provider = attempt.request, attempt.provider
    if provider.credential is None and provider is attempt.exchange.provider:
        return request
    headers = request.headers
    if provider.credential is None or provider.dialect is None:
        headers = headers.without(*HEADERS)
    else:
        own = provider.dialect.credential_header
        headers = headers.without(*(name for name in HEADERS if name != own))
        headers = headers.with_field(own, provider.dialect.credential_format.format(provider.credential.reveal))
    request = request.with_headers(headers)
    if "?" in request.target and (target := _FIELD.sub("", request.target)) != request.target:
        request = request.with_target(target.rstrip("?&"))
    return request
