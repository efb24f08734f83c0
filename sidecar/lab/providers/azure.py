"""Azure OpenAI: the same endpoints, below a deployment's name."""

from collections.abc import Sequence

from sidecar.lab.call import Bench, Call
from sidecar.lab.emulation import Route, bearer, get, post, socket
from sidecar.lab.providers.openai import OpenAIFamily
from sidecar.lab.providers.openai_family import realtime
from sidecar.lab.providers.openai_family.chat import chat_completions, completions
from sidecar.lab.providers.openai_family.responses import Responses
from sidecar.lab.providers.openai_family.speaking import speech_handler
from sidecar.lab.providers.openai_family.transcription import transcriptions, translations
from sidecar.lab.providers.openai_family.words import refuse
from sidecar.lab.reply import HeaderList, Refusal, Reply, Trouble, json_reply

_DEPLOYMENT = "/openai/deployments/{deployment}"


class AzureOpenAI(OpenAIFamily):
    name = "azure-openai"
    hosts = ("*.openai.azure.com", "*.cognitiveservices.azure.com", "*.services.ai.azure.com")
    models = ("gpt-4o-mini",)

    def __init__(self, bench: Bench) -> None:
        self._responses = Responses()
        super().__init__(bench)

    def routes(self) -> Sequence[Route]:
        below = (
            ("/chat/completions", chat_completions()),
            ("/completions", completions),
            ("/audio/speech", speech_handler),
            ("/audio/transcriptions", transcriptions),
            ("/audio/translations", translations),
        )
        dated = [post(_DEPLOYMENT + path, handler) for path, handler in below]
        undated = [post("/openai/v1" + path, handler) for path, handler in below]
        return (
            *dated,
            *undated,
            post("/openai/v1/responses", self._responses.create),
            post("/openai/responses", self._responses.create),
            get("/openai/models", self.list_models),
            get("/openai/v1/models", self.list_models),
            socket("/openai/realtime", realtime.connect),
            socket("/openai/v1/realtime", realtime.connect),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("api-key") or bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        if refusal.trouble is Trouble.AUTH:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            return json_reply({"error": {"code": "401", "message": message}}, status=401)
        if refusal.trouble is Trouble.NOT_FOUND:
            return json_reply({"error": {"code": "404", "message": "Resource not found"}}, status=404)
        if refusal.trouble in (Trouble.RATE, Trouble.CONCURRENCY, Trouble.QUOTA):
            reply = refuse(refusal)
            return json_reply(
                {"error": {"code": "429", "message": refusal.message}}, status=reply.status, headers=reply.headers[1:]
            )
        return refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        identifier = call.ids.uuid()
        return [
            ("apim-request-id", identifier),
            ("x-request-id", identifier),
            ("x-ms-region", "Lab"),
            ("x-ratelimit-remaining-requests", "999"),
            ("x-ratelimit-remaining-tokens", "199000"),
        ]
