"""Which SDK makes which calls through which doors, and what is known of each call afterwards."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.scenarios.sdk.material import GREETING, KEY, SPOKEN

DIRECT, BASE_URL, PORT, CONNECT = "direct", "base_url", "port", "connect"
EVERY = (BASE_URL, PORT, CONNECT)
BEARER = ("authorization", f"Bearer {KEY}")

Facts = Mapping[str, object]
"""Of `sidecar.journal.CallTold`, by field."""


class SdkCall(NamedTuple):
    """A call of an SDK: which function of `agents` makes it, to which provider, and by which doors it can.

    ``url``: what the agent is told lies below the provider's URL. ``tls``: the SDK insists on TLS, so without
    the sidecar it is sent to the lab's TLS port.
    """

    sdk: str
    name: str
    provider: str
    answer: str
    calls: tuple[Facts, ...]
    """One for each request, in the order in which they end."""
    credential: tuple[str, str] = BEARER
    doors: tuple[str, ...] = EVERY
    tls: bool = False
    status: int = 200


class Cell(NamedTuple):
    call: SdkCall
    door: str

    def __str__(self) -> str:
        return f"{self.call.sdk}-{self.call.name}-{self.door}"


def chat(endpoint: str = "chat.completions", **facts: object) -> Facts:
    return {"operation": "chat", "endpoint": endpoint, **facts}


def tts(endpoint: str, **facts: object) -> Facts:
    return {"operation": "tts", "endpoint": endpoint, **facts}


def stt(endpoint: str, **facts: object) -> Facts:
    return {"operation": "stt", "endpoint": endpoint, **facts}


def socket(operation: str, endpoint: str, **facts: object) -> Facts:
    return {"operation": operation, "endpoint": endpoint, "method": "GET", "status": 101, "close_code": 1000, **facts}


MINI = {"model": "gpt-4.1-mini"}
LUNA = {"model": "gpt-5.2"}
VOICE = {"model": "gpt-4o-mini-tts", "voice": "alloy"}

OPENAI = [
    SdkCall("openai", "chat", "openai", GREETING, (chat(**MINI),)),
    SdkCall("openai", "chat_stream", "openai", GREETING, (chat(**MINI, stream=True),)),
    SdkCall("openai", "chat_async", "openai", GREETING, (chat(**MINI),)),
    SdkCall("openai", "chat_async_stream", "openai", GREETING, (chat(**MINI, stream=True),)),
    SdkCall("openai", "chat_aiohttp", "openai", GREETING, (chat(**MINI),)),
    SdkCall("openai", "chat_schema", "openai", "billing", (chat(**MINI),)),
    SdkCall("openai", "responses", "openai", GREETING, (chat("responses", **LUNA),)),
    SdkCall("openai", "responses_stream", "openai", GREETING, (chat("responses", **LUNA, stream=True),)),
    SdkCall("openai", "responses_socket", "openai", GREETING, (socket("chat", "responses.socket"),)),
    SdkCall("openai", "decisions", "openai", "billing", (chat("decisions", model="gpt-6-luna"),)),
    SdkCall("openai", "speech", "openai", SPOKEN, (tts("audio.speech", **VOICE),)),
    SdkCall("openai", "speech_stream", "openai", SPOKEN, (tts("audio.speech", **VOICE, format="pcm"),)),
]
SDK_CALLS = [*OPENAI]


def cells() -> Iterator[Cell]:
    for call in SDK_CALLS:
        for door in call.doors:
            yield Cell(call, door)
