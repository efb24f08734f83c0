"""Azure OpenAI: the family of OpenAI with the deployment in the path, or below ``/openai/v1``."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

from sidecar.dialect import Call, Phrase
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import phrase
from sidecar.dialects.fields import path_value
from sidecar.dialects.openai_family import KINDS, PHRASES, POSTED, REFUSALS, OpenAIFamily, Routes, routes
from sidecar.failure import Kind

_KINDS = {
    (429, "nocapacity"): Kind.OVERLOADED,
    (None, "authenticationtypedisabled"): Kind.AUTH,
}
# The code of all of them is "429"; Microsoft tells them apart by these words (Manage Azure OpenAI quota).
_PHRASES = (
    (429, "temporarily unable to process", Kind.OVERLOADED),
    (429, "experiencing high demand", Kind.OVERLOADED),
    (403, "out of call volume quota", Kind.QUOTA),
)
_REFUSALS = {
    **REFUSALS,
    Kind.RATE: (429, "429"),
    Kind.CONCURRENCY: (429, "429"),
    Kind.AUTH: (401, "401"),
    Kind.REFUSED: (400, "content_filter"),
    Kind.OVERLOADED: (503, "503"),
    Kind.SERVER: (500, "500"),
}

_DEPLOYED = re.compile(r"/openai/deployments/([^/]+)/(.+)")


@lru_cache(maxsize=256)
def _deployed(path: str) -> Call | None:
    if (found := _DEPLOYED.fullmatch(path)) is None or found[2] not in POSTED:
        return None
    operation, endpoint = POSTED[found[2]]
    route = f"/openai/deployments/{{deployment}}/{found[2]}"
    return Call(operation=operation, endpoint=endpoint, route=route, model=path_value(found[1]))


class AzureOpenAI(OpenAIFamily):
    """A deployment's name stands for the model: the resource, not the caller, knows which one it is."""

    name: ClassVar[str] = "azure_openai"
    system: ClassVar[str] = "azure.ai.openai"
    credential_header: ClassVar[str] = "api-key"
    credential_format: ClassVar[str] = "{}"
    rules: ClassVar[Rules] = Rules(phrases=PHRASES + _PHRASES, kinds={**KINDS, **_KINDS})
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    exact: ClassVar[Routes] = routes("/openai/v1") | routes("/openai")

    def recognise_otherwise(self, method: str, path: str) -> Call | None:
        return _deployed(path) if method == "POST" else None

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"error": {"code": kind, "message": message}})


DIALECT = AzureOpenAI()
