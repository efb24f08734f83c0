"""AssemblyAI's streaming recognition: one message for each change of a turn."""

import time
from datetime import UTC, datetime

from sidecar.lab.call import Call
from sidecar.lab.hearing import RawAudio
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.reply import Refusal, Trouble, Upgrade
from sidecar.lab.sockets import Socket, message_of

_CODECS = {"pcm_s16le": "pcm_s16le", "pcm_mulaw": "mulaw"}
_CONTAINERS = ("ogg_opus", "aac")
_SESSION_SECONDS = 3 * 3600


async def transcribe(call: Call) -> Upgrade:
    if not call.query("sample_rate") and call.query("encoding") not in _CONTAINERS:
        raise Refusal(Trouble.INVALID, "sample_rate is required.", param="sample_rate")
    return Upgrade(run=lambda one: _Session(call, one).run())


class _Session:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._turn = 0
        codec = _CODECS.get(call.query("encoding", "pcm_s16le"))
        raw = None if codec is None else RawAudio(codec, int(call.query_number("sample_rate", 16000)))
        pause_seconds = call.query_number("max_turn_silence", 600) / 1000
        self._ear = Ear(call, raw, pause_seconds=min(pause_seconds, 0.6))

    async def run(self) -> None:
        expires = datetime.fromtimestamp(time.time_ns() // 1_000_000_000 + _SESSION_SECONDS, UTC)
        begin = {"type": "Begin", "id": self._call.ids.uuid(), "expires_at": expires.isoformat()}
        await self._socket.send({**begin, "configuration": {"model": self._call.query("speech_model")}})
        async for data in self._socket:
            if isinstance(data, bytes):
                async for heard in self._ear.feed(data):
                    await self._heed(heard)
                continue
            kind = message_of(data).get("type")
            if kind in ("ForceEndpoint", "Terminate") and (last := await self._ear.flush()) is not None:
                await self._heed(last)
            if kind == "Terminate":
                seconds = round(self._ear.seconds)
                ended = {"audio_duration_seconds": seconds, "session_duration_seconds": seconds}
                await self._socket.send({"type": "Termination", **ended})
                return

    async def _heed(self, heard: Heard) -> None:
        ended = heard.moment is Moment.ENDED
        if heard.moment is Moment.STARTED:
            await self._socket.send({"type": "SpeechStarted", "timestamp": round(heard.start_seconds * 1000)})
            return
        words = [
            {
                "text": word.text,
                "start": round(word.start_seconds * 1000),
                "end": round(word.end_seconds * 1000),
                "confidence": word.confidence,
                "word_is_final": ended,
            }
            for word in heard.words
        ]
        await self._socket.send(
            {
                "type": "Turn",
                "turn_order": self._turn,
                "turn_is_formatted": ended,
                "end_of_turn": ended,
                "transcript": heard.text,
                "end_of_turn_confidence": 0.9 if ended else 0.1,
                "words": words,
            }
        )
        self._turn += ended
