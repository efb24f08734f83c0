"""The family of OpenAI: what its members share, each adding where its endpoints stand and what it does otherwise."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Raw

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects.error_kinds import Kinds, Rules
from sidecar.dialects.family import Family, Reader, phrase
from sidecar.dialects.fields import query_value
from sidecar.dialects.openai_answer import read_document
from sidecar.dialects.openai_audio import read_speech_of_openai, read_transcription
from sidecar.dialects.openai_chat import read_chat, read_completion, read_decisions, read_responses
from sidecar.failure import Kind
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

#: Codes of OpenAI's own. Of a 429, ``type`` may be ``insufficient_quota`` or no more than ``requests`` or ``tokens``.
KINDS: Kinds = {
    (None, "organization_spend_limit_exceeded"): Kind.QUOTA,
    (None, "organization_usage_limit_exceeded"): Kind.QUOTA,
    (None, "project_spend_limit_exceeded"): Kind.QUOTA,
    (None, "bio_policy"): Kind.REFUSED,
    (None, "image_content_policy_violation"): Kind.REFUSED,
    (None, "invalid_prompt"): Kind.REFUSED,
    (None, "misalignment_policy_violation"): Kind.REFUSED,
    (None, "data_residency_mismatch"): Kind.UNSUPPORTED,
    (None, "unsupported_image_media_type"): Kind.UNSUPPORTED,
    (None, "image_too_large"): Kind.UNSUPPORTED,
    (None, "image_file_too_large"): Kind.UNSUPPORTED,
    (None, "vector_store_timeout"): Kind.TIMEOUT,
    (0, "failed_to_download_image"): Kind.INVALID,
    (0, "invalid_image_url"): Kind.INVALID,
}
#: What asks for more at once than the limit of a whole minute is, waits in vain. (Groq says 413 to it.)
PHRASES = ((429, "request too large", Kind.UNSUPPORTED),)
REFUSALS: Mapping[Kind, tuple[int, str]] = {
    Kind.RATE: (429, "rate_limit_exceeded"),
    Kind.CONCURRENCY: (429, "rate_limit_exceeded"),
    Kind.QUOTA: (429, "insufficient_quota"),
    Kind.AUTH: (401, "invalid_api_key"),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (400, "unsupported_value"),
    Kind.REFUSED: (400, "content_policy_violation"),
    Kind.OVERLOADED: (503, "server_is_overloaded"),
    Kind.SERVER: (500, "server_error"),
    Kind.TIMEOUT: (504, "timeout"),
    Kind.NETWORK: (502, ""),
}
_ERROR_TYPES = {"insufficient_quota": "insufficient_quota", "rate_limit_exceeded": "requests"}

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

    heeds_should_retry: ClassVar[bool] = True
    rules: ClassVar[Rules] = Rules(phrases=PHRASES, kinds=KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = REFUSALS
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
        usual = "server_error" if status >= 500 else "invalid_request_error"
        error_type = _ERROR_TYPES.get(kind, usual)
        return phrase(status, {"error": {"message": message, "type": error_type, "param": None, "code": kind}})
