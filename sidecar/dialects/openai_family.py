"""The family of OpenAI: what its members share, each adding where its endpoints stand and what it does otherwise."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Raw

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects.family import Family, Reader, phrase
from sidecar.dialects.fields import query_value
from sidecar.dialects.openai_answer import read_document
from sidecar.dialects.openai_audio import read_speech_of_openai, read_transcription
from sidecar.dialects.openai_chat import read_chat, read_completion, read_decisions, read_responses
from sidecar.payload import Answer

#: Path below the version -> operation and endpoint. Embeddings are recognised for the usage they report.
POSTED: Mapping[str, tuple[Operation, str]] = {
    "chat/completions": (Operation.CHAT, "chat.completions"),
    "completions": (Operation.CHAT, "completions"),
    "responses": (Operation.CHAT, "responses"),
    "decisions": (Operation.CHAT, "decisions"),
    "embeddings": (Operation.PASSTHROUGH, "embeddings"),
    "audio/speech": (Operation.TTS, "audio.speech"),
    "audio/transcriptions": (Operation.STT, "audio.transcriptions"),
    "audio/translations": (Operation.STT, "audio.translations"),
}
SOCKETS: Mapping[str, tuple[Operation, str]] = {
    "realtime": (Operation.REALTIME, "realtime"),
    "realtime/translations": (Operation.REALTIME, "realtime.translations"),
    "live/sessions": (Operation.REALTIME, "live.sessions"),
    "responses": (Operation.CHAT, "responses.socket"),
}
READERS: Mapping[str, Reader] = {
    "chat.completions": read_chat,
    "completions": read_completion,
    "responses": read_responses,
    "decisions": read_decisions,
    "audio.speech": read_speech_of_openai,
    "audio.transcriptions": read_transcription,
    "audio.translations": read_transcription,
}

Routes = dict[tuple[str, str], Call]

_model = query_value("model")
_deployment = query_value("deployment")
_intent = query_value("intent")


def routes(
    prefix: str,
    posted: Mapping[str, tuple[Operation, str]] = POSTED,
    sockets: Mapping[str, tuple[Operation, str]] = SOCKETS,
) -> Routes:
    """A table of request lines: the paths of *posted* and *sockets* below *prefix*."""
    found = {}
    for method, paths in (("POST", posted), ("GET", sockets)):
        for path, (operation, endpoint) in paths.items():
            route = f"{prefix}/{path}"
            found[method, route] = Call(operation=operation, endpoint=endpoint, route=route, socket=method == "GET")
    return found


def _of_socket(call: Call, query: str) -> Call:
    """*call* with what its query says. A realtime session that is there to transcribe is a call for text."""
    transcribes = call.endpoint == "realtime" and _intent(query) == "transcription"
    return Call(
        operation=Operation.STT if transcribes else call.operation,
        endpoint="realtime.transcription" if transcribes else call.endpoint,
        route=call.route,
        model=_model(query) or _deployment(query),
        socket=True,
    )


class OpenAIFamily(Family):
    """Members give ``name``, ``system`` and ``exact``, their request lines."""

    readers: ClassVar[Mapping[str, Reader]] = READERS
    exact: ClassVar[Routes]

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if (call := self.exact.get((method, path))) is None:
            return self.recognise_otherwise(method, path)
        return _of_socket(call, query) if call.socket else call

    def recognise_otherwise(self, method: str, path: str) -> Call | None:
        """The call behind a request line that is not in the table."""
        return None

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        return read_document(document)

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        error_type = "server_error" if status >= 500 else "invalid_request_error"
        return phrase(status, {"error": {"message": message, "type": error_type, "param": None, "code": kind}})
