"""OpenAI, and any server that speaks as it does under whatever path: the name to configure for those too."""

import re
from typing import ClassVar

from sidecar.dialect import Call
from sidecar.dialects.openai_family import POSTED, OpenAIFamily, Routes, routes

# Two words are enough to know an endpoint by; a single one ("completions") must stand behind a version.
_ELSEWHERE = re.compile(
    r"(?:/[^/]+)*?/(chat/completions|audio/speech|audio/transcriptions|audio/translations"
    r"|(?<=/v\d/)(?:completions|responses|decisions|embeddings))"
)


class OpenAI(OpenAIFamily):
    name: ClassVar[str] = "openai"
    system: ClassVar[str] = "openai"
    exact: ClassVar[Routes] = routes("/v1")

    def recognise_otherwise(self, method: str, path: str) -> Call | None:
        if method != "POST" or (found := _ELSEWHERE.fullmatch(path)) is None:
            return None
        operation, endpoint = POSTED[found[1]]
        return Call(operation=operation, endpoint=endpoint, route=f"/{{base}}/{found[1]}")


DIALECT = OpenAI()
