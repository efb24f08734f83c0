"""What agents say and hear, and what they make of an answer. Imported by agents: nothing but the standard library."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY = "key-of-the-agent"
SPOKEN = "We are open."
"""What is said in the recording, and what is to be spoken."""
RATE = 16000
RECORDING = "question.wav"
_HEADER_BYTES = 44

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
GREETING = "Hello! How can I help you today?"
"""What the emulated models answer to that."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"desk": {"type": "string", "enum": ["billing", "repairs"]}},
    "required": ["desk"],
    "additionalProperties": False,
}
BILL: list[Any] = [{"role": "user", "content": "I want to pay my bill"}]


@dataclasses.dataclass(frozen=True)
class Samples:
    """Sound without a header. ``codec``: pcm_s16le, pcm_f32le, mulaw."""

    data: bytes
    rate: int
    codec: str = "pcm_s16le"


Made = str | bytes | Samples
"""What an agent makes of an answer."""


def recording() -> bytes:
    """`SPOKEN` as a WAV file of 16-bit samples at `RATE`."""
    return Path(sys.argv[2], RECORDING).read_bytes()


def samples() -> bytes:
    return recording()[_HEADER_BYTES:]


def given(**options: Any) -> Mapping[str, Any]:
    """*options* without those that are None: what is not given is the SDK's own affair."""
    return {name: value for name, value in options.items() if value is not None}


def below(url: str | None, path: str) -> str | None:
    """*path* below *url*, if there is one."""
    return None if url is None else url + path


def as_socket(url: str) -> str:
    """The same place as a WebSocket's URL."""
    return "ws" + url.removeprefix("http")
