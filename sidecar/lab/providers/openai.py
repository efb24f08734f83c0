"""OpenAI, and the generic kind of service that copies the most used part of it."""

from collections.abc import Sequence
from typing import ClassVar

from sidecar.lab.call import Bench, Call
from sidecar.lab.emulation import Emulation, Route, get, post, socket
from sidecar.lab.providers.openai_family import realtime
from sidecar.lab.providers.openai_family.chat import ChatStyle, chat_completions, completions
from sidecar.lab.providers.openai_family.decisions import decisions
from sidecar.lab.providers.openai_family.responses import Responses
from sidecar.lab.providers.openai_family.speaking import speech_handler
from sidecar.lab.providers.openai_family.transcription import transcriptions, translations
from sidecar.lab.providers.openai_family.words import identity_headers, limit_headers, refuse
from sidecar.lab.reply import HeaderList, Refusal, Reply, json_reply


class OpenAIFamily(Emulation):
    """One that speaks OpenAI's dialect: its errors, and its list of models."""

    models: ClassVar[tuple[str, ...]]

    def refuse(self, refusal: Refusal) -> Reply:
        return refuse(refusal)

    def _model(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": 1700000000, "owned_by": self.name}

    async def list_models(self, call: Call) -> Reply:
        return json_reply({"object": "list", "data": [self._model(name) for name in self.models]})

    async def show_model(self, call: Call) -> Reply:
        return json_reply(self._model(call.params["model"]))


class OpenAI(OpenAIFamily):
    name = "openai"
    hosts = ("api.openai.com", "*.api.openai.com")
    models = ("gpt-6-luna", "gpt-5.6", "gpt-4o-mini", "gpt-realtime", "gpt-4o-mini-tts", "gpt-transcribe", "whisper-1")

    def __init__(self, bench: Bench) -> None:
        self._responses = Responses()
        super().__init__(bench)

    def routes(self) -> Sequence[Route]:
        return (
            post("/v1/chat/completions", chat_completions()),
            post("/v1/completions", completions),
            post("/v1/responses", self._responses.create),
            get("/v1/responses/{response_id}", self._responses.retrieve),
            socket("/v1/responses", self._responses.connect),
            post("/v1/decisions", decisions),
            post("/v1/audio/speech", speech_handler),
            post("/v1/audio/transcriptions", transcriptions),
            post("/v1/audio/translations", translations),
            socket("/v1/realtime", realtime.connect),
            get("/v1/models", self.list_models),
            get("/v1/models/{model}", self.show_model),
        )

    def answer_headers(self, call: Call) -> HeaderList:
        return [*limit_headers(call), *identity_headers(call)]


class Generic(OpenAIFamily):
    """What self-hosted servers and gateways offer. It takes any credential, or none."""

    name = "generic"
    hosts = ("llm.lab.internal",)
    models = ("lab-model",)

    def routes(self) -> Sequence[Route]:
        return (
            post("/v1/chat/completions", chat_completions(ChatStyle(plain=True))),
            post("/v1/completions", completions),
            post("/v1/audio/speech", speech_handler),
            post("/v1/audio/transcriptions", transcriptions),
            post("/v1/audio/translations", translations),
            get("/v1/models", self.list_models),
            get("/v1/models/{model}", self.show_model),
        )

    def check(self, call: Call) -> None:
        if self.credential(call):
            super().check(call)
