"""Deepgram's sockets: streaming recognition, recognition by turns (Flux), streaming synthesis."""

import asyncio
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import samples
from sidecar.lab.call import Call, Json
from sidecar.lab.engines.contract import Voice
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.providers.deepgram_words import is_punctuated, raw_audio, shown, word_of
from sidecar.lab.reply import Refusal, Trouble, Upgrade
from sidecar.lab.sockets import Socket, cancelled, message_of
from sidecar.lab.speech import sounds

_PROTOCOLS = ("token", "bearer")
_SHORTEST_PAUSE_SECONDS = 0.25
"""The default of 10 ms would cut speech between words."""


async def listen(call: Call) -> Upgrade:
    return Upgrade(run=lambda one: _Listening(call, one).run(), protocols=_PROTOCOLS)


async def listen_for_turns(call: Call) -> Upgrade:
    if not call.query("model").startswith("flux"):
        raise Refusal(Trouble.INVALID, "The model must be one of Flux's.", param="model")
    return Upgrade(run=lambda one: _Turns(call, one).run(), protocols=_PROTOCOLS)


async def speak(call: Call) -> Upgrade:
    if call.query("encoding", "linear16") not in _ENCODE:
        raise Refusal(Trouble.INVALID, "Unsupported audio format.", param="encoding")
    return Upgrade(run=lambda one: _Speaking(call, one).run(), protocols=_PROTOCOLS)


class _Listening:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._id = call.ids.uuid()
        self._model = call.query("model", "nova-3")
        self._finalizing = False
        endpointing = call.query("endpointing", "10")
        pause = None if endpointing == "false" else max(float(endpointing) / 1000, _SHORTEST_PAUSE_SECONDS)
        self._ear = Ear(
            call,
            raw_audio(call),
            pause_seconds=pause,
            interim=call.query_flag("interim_results"),
            language=call.query("language") or None,
        )

    async def run(self) -> None:
        async for data in self._socket:
            if isinstance(data, bytes):
                async for heard in self._ear.feed(data):
                    await self._heed(heard)
                continue
            kind = message_of(data).get("type")
            if kind == "Finalize":
                await self._flush(finalized=True)
            elif kind == "Configure":
                await self._socket.send({"type": "ConfigureSuccess", "request_id": self._id, "keyterms": []})
            elif kind == "CloseStream":
                await self._flush(finalized=False)
                await self._socket.send(self._metadata())
                return

    async def _flush(self, *, finalized: bool) -> None:
        heard = await self._ear.flush()
        if heard is None and finalized:
            heard = Heard(Moment.ENDED, self._ear.seconds, self._ear.seconds)
        if heard is not None:
            await self._tell(heard, finalized=finalized)

    async def _heed(self, heard: Heard) -> None:
        if heard.moment is Moment.STARTED:
            if self._call.query_flag("vad_events"):
                await self._socket.send({"type": "SpeechStarted", "channel": [0, 1], "timestamp": heard.start_seconds})
            return
        await self._tell(heard)
        if heard.moment is Moment.ENDED and self._call.query("utterance_end_ms") and heard.words:
            last = heard.words[-1].end_seconds
            await self._socket.send({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": last})

    async def _tell(self, heard: Heard, *, finalized: bool = False) -> None:
        ended = heard.moment is Moment.ENDED
        words = [word_of(word, punctuated=is_punctuated(self._call)) for word in heard.words]
        text = shown(self._call, heard.text)
        alternative = {"transcript": text, "confidence": 0.98 if words else 0.0, "words": words}
        await self._socket.send(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "duration": round(heard.end_seconds - heard.start_seconds, 3),
                "start": heard.start_seconds,
                "is_final": ended,
                "speech_final": ended,
                "channel": {"alternatives": [alternative]},
                "metadata": {
                    "request_id": self._id,
                    "model_info": {"name": self._model, "version": "2026-01-01.0", "arch": self._model},
                    "model_uuid": self._call.ids.uuid(),
                },
                "from_finalize": finalized,
            }
        )

    def _metadata(self) -> Json:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._id,
            "sha256": self._call.received.sha256,
            "created": "2026-11-22T00:00:00.000Z",
            "duration": round(self._ear.seconds, 3),
            "channels": 1,
        }


class _Turns:
    """Flux: events of a turn instead of finished pieces."""

    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._id = call.ids.uuid()
        self._sequence = 0
        self._turn = 0
        timeout_seconds = call.query_number("eot_timeout_ms", 5000) / 1000
        self._ear = Ear(call, raw_audio(call), pause_seconds=min(timeout_seconds, 0.6))

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send({"type": kind, "request_id": self._id, "sequence_id": self._sequence, **fields})
        self._sequence += 1

    async def run(self) -> None:
        await self._send("Connected")
        async for data in self._socket:
            if isinstance(data, bytes):
                async for heard in self._ear.feed(data):
                    await self._heed(heard)
                continue
            message = message_of(data)
            if message.get("type") == "Configure":
                answer = {key: message.get(key) for key in ("thresholds", "keyterms", "language_hints")}
                thresholds = answer["thresholds"] or {}
                await self._send("ConfigureSuccess", **{**answer, "thresholds": thresholds, "keyterms": []})
            elif message.get("type") in ("ForceEndTurn", "CloseStream"):
                if (ended := await self._ear.flush()) is not None:
                    await self._heed(ended)
                if message["type"] == "CloseStream":
                    return

    async def _heed(self, heard: Heard) -> None:
        if heard.moment is Moment.ENDED and self._call.query("eager_eot_threshold"):
            await self._inform("EagerEndOfTurn", heard, 0.6)
        event = {Moment.STARTED: "StartOfTurn", Moment.INTERIM: "Update", Moment.ENDED: "EndOfTurn"}[heard.moment]
        await self._inform(event, heard, 0.9 if heard.moment is Moment.ENDED else 0.1)
        self._turn += heard.moment is Moment.ENDED

    async def _inform(self, event: str, heard: Heard, confidence: float) -> None:
        await self._send(
            "TurnInfo",
            event=event,
            turn_index=self._turn,
            audio_window_start=heard.start_seconds,
            audio_window_end=heard.end_seconds,
            transcript=heard.text,
            words=[
                {
                    "word": word.text,
                    "confidence": word.confidence,
                    "start": word.start_seconds,
                    "end": word.end_seconds,
                }
                for word in heard.words
            ],
            end_of_turn_confidence=confidence,
        )


_ENCODE = {"linear16": lambda pcm: pcm.samples, "mulaw": samples.to_mulaw, "alaw": samples.to_alaw}


class _Speaking:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._model = call.query("model", "aura-asteria-en")
        self._rate = int(call.query_number("sample_rate", 24000))
        self._encode = _ENCODE[call.query("encoding", "linear16")]
        self._text = ""
        self._flushed = 0
        self._worker: asyncio.Task[None] | None = None

    async def run(self) -> None:
        await self._socket.send(
            {
                "type": "Metadata",
                "request_id": self._call.ids.uuid(),
                "model_name": self._model,
                "model_version": "2026-01-01.0",
                "model_uuid": self._call.ids.uuid(),
            }
        )
        try:
            async for data in self._socket:
                if not await self._take(message_of(data if isinstance(data, str) else "")):
                    return
        finally:
            await cancelled(self._worker)

    async def _take(self, message: Json) -> bool:
        """Whether the talk goes on."""
        kind = message.get("type")
        if kind == "Speak":
            self._text += str(message.get("text") or "")
        elif kind == "Flush":
            await self._finished()
            self._worker = asyncio.create_task(self._say())
        elif kind == "Clear":
            await cancelled(self._worker)
            self._worker, self._text = None, ""
            await self._socket.send({"type": "Cleared", "sequence_id": self._flushed})
        elif kind == "Close":
            await self._finished()
            if self._text:
                await self._say()
            return False
        else:
            await self._socket.send(
                {"type": "Warning", "code": "UNKNOWN_MESSAGE", "description": f"Unknown message type {kind}."}
            )
        return True

    async def _finished(self) -> None:
        if self._worker is not None:
            await self._worker

    async def _say(self) -> None:
        text, self._text = self._text, ""
        await self._call.take_time(Operation.TTS, len(text))
        async for sound in sounds(self._call, text, Voice(self._model, self._model), self._rate):
            await self._socket.send_bytes(self._encode(sound))
        await self._socket.send({"type": "Flushed", "sequence_id": self._flushed})
        self._flushed += 1
