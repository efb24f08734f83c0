"""What the providers' own SDKs make of a failure that is told in their words: the right error class, and no retries.

Each SDK runs in a process of its own and calls a server that answers with the phrase and counts.
"""

import io
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from msgspec.structs import replace

from sidecar.dialect import Phrase
from sidecar.dialects import load
from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.phrasing import phrase_failure
from tests.scenarios.sdk.material import RATE, RECORDING
from tests.scenarios.sdk.process import Agent, Outcome, clean_environment

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAINLESS = {
    Kind.RATE: "RateLimitError",
    Kind.CONCURRENCY: "RateLimitError",
    Kind.QUOTA: "RateLimitError",
    Kind.AUTH: "AuthenticationError",
    Kind.INVALID: "BadRequestError",
    Kind.UNSUPPORTED: "BadRequestError",
    Kind.REFUSED: "BadRequestError",
    Kind.OVERLOADED: "InternalServerError",
    Kind.SERVER: "InternalServerError",
    Kind.TIMEOUT: "InternalServerError",
    Kind.NETWORK: "InternalServerError",
}
ANTHROPIC = {
    Kind.QUOTA: "PaymentRequiredError",
    Kind.OVERLOADED: "OverloadedError",
    Kind.TIMEOUT: "GatewayTimeoutError",
}
CARTESIA = {Kind.QUOTA: "APIStatusError", Kind.UNSUPPORTED: "NotFoundError"}
LANGCHAIN = {
    kind: name.replace("InternalServerError", "APIError").replace("BadRequest", "InvalidRequest")
    for kind, name in STAINLESS.items()
}
GOOGLE = {
    **dict.fromkeys((Kind.RATE, Kind.CONCURRENCY, Kind.QUOTA, Kind.OVERLOADED), "TooManyRequests"),
    **dict.fromkeys((Kind.INVALID, Kind.REFUSED), "BadRequest"),
    **dict.fromkeys((Kind.SERVER, Kind.TIMEOUT), "InternalServerError"),
    Kind.AUTH: "Forbidden",
    Kind.UNSUPPORTED: "NotFound",
    Kind.NETWORK: "BadGateway",
}
_SERVERS = (Kind.OVERLOADED, Kind.SERVER, Kind.TIMEOUT, Kind.NETWORK)
GEMINI = {kind: "ServerError" if kind in _SERVERS else "ClientError" for kind in Kind}
DEEPGRAM = dict.fromkeys(Kind, "ApiError") | dict.fromkeys((Kind.INVALID, Kind.REFUSED), "BadRequestError")

#: SDK, call, dialect, the module of its error classes, and which of them stands for which kind.
CALLS: list[tuple[str, str, str, str, dict[Kind, str]]] = [
    ("openai", "chat", "openai", "openai", STAINLESS),
    ("openai", "chat_async_stream", "openai", "openai", STAINLESS),
    ("openai", "transcription", "openai", "openai", STAINLESS),
    ("openai", "azure_chat", "azure_openai", "openai", STAINLESS),
    (
        "langchain",
        "invoke",
        "openai",
        "langchain_openai.chat_models.base",
        {k: f"OpenAI{v}" for k, v in LANGCHAIN.items()},
    ),
    ("anthropic", "messages", "anthropic", "anthropic", STAINLESS | ANTHROPIC),
    ("anthropic", "messages_async_stream", "anthropic", "anthropic", STAINLESS | ANTHROPIC),
    ("groq", "chat", "groq", "groq", STAINLESS),
    ("cartesia", "tts_bytes", "cartesia", "cartesia", STAINLESS | CARTESIA),
    ("mistral", "chat", "mistral", "mistralai.client.errors.sdkerror", dict.fromkeys(Kind, "SDKError")),
    ("gemini", "generate", "gemini", "google.genai.errors", GEMINI),
    ("gemini", "generate_async", "gemini", "google.genai.errors", GEMINI),
    ("google_cloud", "recognize", "google_cloud", "google.api_core.exceptions", GOOGLE),
    ("google_cloud", "recognize_v2", "google_cloud", "google.api_core.exceptions", GOOGLE),
    ("google_cloud", "synthesize", "google_cloud", "google.api_core.exceptions", GOOGLE),
    ("assemblyai", "speech", "assemblyai", "assemblyai.tts.v1.models", dict.fromkeys(Kind, "TTSError")),
    ("assemblyai", "sync", "assemblyai", "assemblyai.types", dict.fromkeys(Kind, "SyncTranscriptError")),
    ("elevenlabs", "convert", "elevenlabs", "elevenlabs.core.api_error", dict.fromkeys(Kind, "ApiError")),
    ("elevenlabs", "transcribe", "elevenlabs", "elevenlabs.core.api_error", dict.fromkeys(Kind, "ApiError")),
    ("deepgram", "listen", "deepgram", "deepgram", DEEPGRAM),
]
#: These SDKs of Fern's try 408, 409, 429 and everything from 500 on twice more, and nothing in an answer stops them.
STUBBORN = {("elevenlabs", "transcribe"), ("deepgram", "listen")}


class Counter:
    """Answers every request with ``phrase`` and counts them."""

    def __init__(self) -> None:
        self.phrase = Phrase(status=500, content_type="text/plain", body=b"")
        self.requests = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests += 1
        fields = [(name.decode(), value.decode()) for name, value in self.phrase.headers]
        headers = [("Content-Type", self.phrase.content_type), *fields]
        return web.Response(status=self.phrase.status, body=self.phrase.body, headers=headers)


class Here:
    """The counter, and an agent for each SDK that is asked for."""

    def __init__(self, counter: Counter, directory: Path) -> None:
        self.counter = counter
        self._directory = directory
        self._agents: dict[str, Agent] = {}

    async def call(self, sdk: str, name: str, phrase: Phrase, skip_or_fail: Callable[[str], None]) -> Outcome:
        agent = self._agents.get(sdk)
        if agent is None:
            agent = self._agents[sdk] = await Agent.start(sdk, self._directory, clean_environment())
            await agent.ready()
        if agent.missing:
            skip_or_fail(f"the SDK is not installed: {agent.missing}")
        self.counter.phrase, self.counter.requests = phrase, 0
        return await agent.call(name, self.counter.url, impatient=True)

    async def close(self) -> None:
        for agent in self._agents.values():
            await agent.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    directory = tmp_path_factory.mktemp("agents")
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(RATE))
    (directory / RECORDING).write_bytes(recording.getvalue())
    counter = Counter()
    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/{path:.*}", counter.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    counter.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    made = Here(counter, directory)
    try:
        yield made
    finally:
        await made.close()
        await runner.cleanup()


def failure(kind: Kind) -> Failure:
    return Failure(kind=kind, code="their_code", message="as it was said there", retry_after_seconds=7.0)


@pytest.mark.parametrize(
    ("sdk", "call", "dialect", "module", "classes"), CALLS, ids=[f"{sdk}-{call}" for sdk, call, *_ in CALLS]
)
async def test_an_sdk_raises_what_fits_and_asks_once(
    here: Here,
    sdk: str,
    call: str,
    dialect: str,
    module: str,
    classes: dict[Kind, str],
    skip_or_fail: Callable[[str], None],
) -> None:
    for kind in Kind:
        phrase = phrase_failure(load(dialect), failure(kind))
        outcome = await here.call(sdk, call, phrase, skip_or_fail)
        assert outcome.error is not None, kind
        assert outcome.error.startswith(f"{module}."), kind
        assert outcome.error.endswith(f".{classes[kind]}"), kind
        assert outcome.status == phrase.status, kind
        said = "does not accept the credential" if kind is Kind.AUTH else "as it was said there"
        assert said in outcome.words, kind
        again = (sdk, call) in STUBBORN and (phrase.status == 429 or phrase.status >= 500)
        assert here.counter.requests == (3 if again else 1), kind
        if again and phrase.headers.get("retry-after"):
            assert outcome.naps == [7.0, 7.0], "what it is told of a wait, it heeds"


@pytest.mark.parametrize(
    ("sdk", "call", "dialect"),
    [
        ("openai", "chat", "openai"),
        ("anthropic", "messages", "anthropic"),
        ("groq", "chat", "groq"),
        ("cartesia", "tts_bytes", "cartesia"),
    ],
)
@pytest.mark.parametrize("kind", [Kind.RATE, Kind.OVERLOADED])
async def test_without_being_told_not_to_they_would_try_again(
    here: Here, sdk: str, call: str, dialect: str, kind: Kind, skip_or_fail: Callable[[str], None]
) -> None:
    phrase = replace(phrase_failure(load(dialect), failure(kind)), headers=Headers())
    await here.call(sdk, call, phrase, skip_or_fail)
    assert here.counter.requests == 3
