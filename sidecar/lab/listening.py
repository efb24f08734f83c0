"""Audio that comes in bit by bit, cut into utterances where the speaker pauses."""

from collections.abc import AsyncGenerator
from enum import StrEnum

import numpy as np
from msgspec import Struct

from sidecar.dialect import Operation
from sidecar.lab.audio.decode import Undecodable, decoded, decoded_raw
from sidecar.lab.audio.pcm import Pcm
from sidecar.lab.audio.samples import floats
from sidecar.lab.call import Call
from sidecar.lab.engines.contract import Word
from sidecar.lab.hearing import RawAudio

_FRAME_SECONDS = 0.02
_VOICED_PEAK = 0.02
_LEAD_SECONDS = 0.2
"""How much of what came before the first voiced frame belongs to an utterance."""
_NEW_CONTAINER_BYTES = 8192
"""How much a stream in a container must grow to be decoded anew."""


class Moment(StrEnum):
    STARTED = "started"
    INTERIM = "interim"
    ENDED = "ended"


class Heard(Struct, frozen=True):
    """Something that happened in a stream; all times in seconds from its beginning."""

    moment: Moment
    start_seconds: float
    end_seconds: float
    text: str = ""
    words: tuple[Word, ...] = ()


class Ear:
    """Listens to one stream.

    Without *pause_seconds* an utterance ends only by `flush`. Samples are headerless as *raw* says or, without it, in
    a container.
    """

    def __init__(
        self,
        call: Call,
        raw: RawAudio | None,
        *,
        pause_seconds: float | None = 0.5,
        interim: bool = True,
        language: str | None = None,
    ) -> None:
        self._call = call
        self._recognizer = call.engines.recognizer
        self._raw = raw
        self._pause_seconds = pause_seconds
        self._interim = interim
        self._language = language
        self._container = b""
        self._decoded_at = 0
        self._taken_samples = 0
        self._audio = Pcm(b"", 16000 if raw is None else raw.rate)
        self._dropped_seconds = 0.0
        self._examined_seconds = 0.0
        self._start: float | None = None
        self._last_voice = 0.0
        self._interim_at = 0.0
        self._uneven = b""

    @property
    def seconds(self) -> float:
        """How much came so far."""
        return self._dropped_seconds + self._audio.seconds

    @property
    def speaking(self) -> bool:
        return self._start is not None

    async def feed(self, data: bytes) -> AsyncGenerator[Heard, None]:
        """Take the next bytes, and tell what happened in them."""
        self._append(self._read(data))
        for voiced, at in self._frames():
            if voiced:
                self._last_voice = at + _FRAME_SECONDS
                if self._start is None:
                    self._start = max(at - _LEAD_SECONDS, self._dropped_seconds)
                    self._interim_at = at
                    yield Heard(Moment.STARTED, at, at)
            elif self._start is None:
                self._forget(at - _LEAD_SECONDS)
            elif self._pause_seconds is not None and at - self._last_voice >= self._pause_seconds:
                yield await self._end(at)
        new_seconds = self.seconds - self._interim_at
        if self._interim and self._start is not None and new_seconds >= self._recognizer.interim_seconds:
            self._interim_at = self.seconds
            heard = await self._heard(Moment.INTERIM, self._start, self.seconds)
            if heard.text:
                yield heard

    async def flush(self) -> Heard | None:
        """End the utterance under way, if there is one."""
        if self._raw is None:
            self._append(self._read(b"", last=True))
        for voiced, at in self._frames():
            if voiced:
                self._last_voice = at + _FRAME_SECONDS
                self._start = at if self._start is None else self._start
        return None if self._start is None else await self._end(self.seconds)

    def clear(self) -> None:
        """Forget what has not been transcribed yet."""
        self._start = None
        self._forget(self.seconds)
        self._examined_seconds = self.seconds

    async def _end(self, at: float) -> Heard:
        assert self._start is not None
        heard = await self._heard(Moment.ENDED, self._start, at)
        self._start = None
        self._forget(at)
        return heard

    async def _heard(self, moment: Moment, start: float, end: float) -> Heard:
        audio = self._audio.between(start - self._dropped_seconds, end - self._dropped_seconds)
        transcript = await self._recognizer.transcribe(audio, self._language)
        if moment is Moment.ENDED:
            await self._call.take_time(Operation.STT, 0.0)
        words = tuple(
            Word(
                word.text,
                round(word.start_seconds + start, 3),
                round(word.end_seconds + start, 3),
                word.confidence,
            )
            for word in transcript.words
        )
        return Heard(moment, round(start, 3), round(end, 3), transcript.text, words)

    def _read(self, data: bytes, *, last: bool = False) -> bytes:
        """16-bit samples out of what came."""
        if self._raw is not None:
            data = self._uneven + data
            width = {"pcm_s16le": 2, "pcm_f32le": 4}.get(self._raw.codec, 1) * self._raw.channels
            whole = len(data) // width * width
            self._uneven = data[whole:]
            return decoded_raw(data[:whole], self._raw.codec, self._raw.rate, self._raw.channels).samples
        self._container += data
        if not last and len(self._container) - self._decoded_at < _NEW_CONTAINER_BYTES:
            return b""
        self._decoded_at = len(self._container)
        try:
            pcm = decoded(self._container)
        except Undecodable:
            return b""
        if not self._taken_samples:
            self._audio = Pcm(b"", pcm.rate)
        fresh = pcm.samples[self._taken_samples :]
        self._taken_samples = max(len(pcm.samples), self._taken_samples)
        return fresh

    def _append(self, samples: bytes) -> None:
        self._audio = Pcm(self._audio.samples + samples, self._audio.rate)

    def _forget(self, before_seconds: float) -> None:
        count = int((before_seconds - self._dropped_seconds) * self._audio.rate)
        if count > 0:
            self._audio = Pcm(self._audio.samples[2 * count :], self._audio.rate)
            self._dropped_seconds += count / self._audio.rate

    def _frames(self) -> list[tuple[bool, float]]:
        """Frames not examined yet: whether there is a voice in each, and when it begins."""
        rate = self._audio.rate
        length = max(int(_FRAME_SECONDS * rate), 1)
        first = max(round((self._examined_seconds - self._dropped_seconds) * rate), 0)
        values = floats(Pcm(self._audio.samples[2 * first :], rate))
        frames = values[: len(values) // length * length].reshape(-1, length)
        began = self._dropped_seconds + first / rate
        self._examined_seconds = began + frames.size / rate
        peaks = np.abs(frames).max(axis=1) if len(frames) else ()
        return [(bool(peak > _VOICED_PEAK), began + number * length / rate) for number, peak in enumerate(peaks)]
