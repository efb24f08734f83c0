"""Azure OpenAI: the family of OpenAI with the deployment in the path, or below ``/openai/v1``."""

import re
from functools import lru_cache
from typing import ClassVar

from sidecar.dialect import Call, Phrase
from sidecar.dialects.family import phrase
from sidecar.dialects.fields import path_value
from sidecar.dialects.openai_family import POSTED, OpenAIFamily, Routes, routes

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
    exact: ClassVar[Routes] = routes("/openai/v1") | routes("/openai")

    def recognise_otherwise(self, method: str, path: str) -> Call | None:
        return _deployed(path) if method == "POST" else None

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"error": {"code": kind, "message": message}})


DIALECT = AzureOpenAI()
