"""Calls to another model, or another account, of one dialect: nothing is edited but the model, where it stands."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from sidecar import credentials
from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.exchange import Request
from sidecar.payload import edited
from sidecar.translation.chat.gemini.fields import STATEFUL as OF_CONTENT
from sidecar.translation.chat.messages.fields import STATEFUL as OF_MESSAGES
from sidecar.translation.chat.responses.fields import STATEFUL as OF_RESPONSES
from sidecar.translation.contract import Inexpressible, Target

#: By endpoint, fields that name what the agent's provider keeps, which an account elsewhere does not have.
_STATEFUL: Final[Mapping[str, Mapping[str, str]]] = {
    "generateContent": OF_CONTENT,
    "messages": OF_MESSAGES,
    "responses": OF_RESPONSES,
    "streamGenerateContent": OF_CONTENT,
}
_COLLECTIONS: Final = ("models", "tunedModels", "endpoints")
_GEMINI_MODEL: Final = re.compile(rf"(?<=/)({'|'.join(_COLLECTIONS)})/[^/:]+(?=:|%3A)")
_DEPLOYMENT: Final = re.compile(r"(?<=/openai/deployments/)[^/]+")
#: Where the endpoints of OpenAI's family stand, whatever stood before them at the agent's provider.
_BASES: Final = {"azure_openai": "/openai/v1", "openai": "/v1"}
_VALUES_THAT_SAY_NOTHING: Final = (b"null", b"false", b'""')


def renamed(request: Request, call: Call, own: str, target: Target) -> Request:
    """*request* of the dialect *own*, for *target*, which takes the same; without the agent's credentials.

    Raises:
        Inexpressible: it goes on from what only the agent's provider keeps.
    """
    body = request.body.data or b""
    fields = members.of(body)
    for name, reason in _STATEFUL.get(call.endpoint, {}).items():
        if name in fields and bytes(fields[name]) not in _VALUES_THAT_SAY_NOTHING:
            raise Inexpressible(name, reason)
    if b'"file_id"' in body or b'"item_reference"' in body:
        raise Inexpressible("file", "it is kept by the agent's provider")
    changes: dict[str, Any] = {}
    if target.model is not None and ("model" in fields or call.model is None):
        changes["model"] = target.model
    path, moved = _path(request.path, call, own, target)
    if moved and call.model is not None and "model" not in fields:
        changes["model"] = target.model or call.model  # the deployment was named in the path alone
    query = "" if moved else _without_credentials(request.query)
    headers = request.headers.without(*credentials.HEADERS)
    made = request.with_headers(headers).with_target(f"{path}?{query}" if query else path)
    return made.with_body(edited(body, changes)) if changes else made


def _path(path: str, call: Call, own: str, target: Target) -> tuple[str, bool]:
    """Where the call goes, and whether that is another endpoint than before."""
    name, model = target.dialect.name, target.model
    if own != name or (name in _BASES and call.route.startswith("/{base}/")):
        return f"{_BASES.get(name, '/v1')}/{call.endpoint.replace('.', '/')}", True
    if model is None or call.model is None:
        return path, False
    if own == "gemini":
        return _GEMINI_MODEL.sub(lambda found: _resource(found, model), path, count=1), False
    return _DEPLOYMENT.sub(quote(model, safe=""), path, count=1), False


def _resource(found: re.Match[str], model: str) -> str:
    collection, _, name = model.rpartition("/")
    return f"{collection if collection in _COLLECTIONS else found[1]}/{quote(name, safe='')}"


def _without_credentials(query: str) -> str:
    pairs = [pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in credentials.QUERY]
    return "&".join(pairs)
