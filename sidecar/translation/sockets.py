"""Sockets asked of another provider of the same dialect. What is said over one is said in frames, and those are not
translated: only where they go can change, and whose model answers. No I/O.
"""

import re
from typing import Final
from urllib.parse import quote

from sidecar.exchange import Exchange, Response
from sidecar.translation.contract import Inexpressible, Target, Translated

#: The query field that names the model, by dialect.
_MODEL: Final = {
    "assemblyai": "speech_model",
    "azure_openai": "model",
    "cartesia": "model",
    "deepgram": "model",
    "elevenlabs": "model_id",
    "groq": "model",
    "mistral": "model",
    "openai": "model",
}
#: Where browsers, which cannot set header fields, put their keys.
_CREDENTIAL: Final = re.compile(r"(?i)\b(token|bearer|key|api[-_]?key|insecure-api-key|authorization)\b")


def socket_elsewhere(exchange: Exchange, target: Target) -> Translated:
    """
    Raises:
        Inexpressible: the other provider speaks another dialect, or another model or voice cannot be asked for.
    """
    call, dialect = exchange.call, exchange.provider.dialect
    if call is None or dialect is None or dialect.name != target.dialect.name:
        raise Inexpressible("socket", "what is said over a socket cannot be said in another dialect")
    request = exchange.request
    if _CREDENTIAL.search(request.headers.get("sec-websocket-protocol") or ""):
        raise Inexpressible("credential", "the agent identifies itself in the socket's subprotocols")
    if target.voice is not None and target.voice != call.voice:
        raise Inexpressible("voice", "the voice of a socket is told in its frames or its path")
    if target.model is not None and target.model != call.model:
        name = _MODEL.get(dialect.name)
        path, _, query = request.target.partition("?")
        changed, times = re.subn(rf"(?<![^&]){name}=[^&]*", f"{name}={quote(target.model, safe='')}", query)
        if name is None or times != 1:
            raise Inexpressible("model", "the model of this socket is not told in its query")
        request = request.with_target(f"{path}?{changed}")
    return Translated(request=request, call=call, answer=_as_it_is)


async def _as_it_is(response: Response) -> Response:
    return response
