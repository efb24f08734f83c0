"""Text made into audio of the format asked for, chunk by chunk as it is made."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sidecar.lab.audio.encode import encoder
from sidecar.lab.audio.formats import AudioFormat, UnsupportedFormat
from sidecar.lab.audio.pcm import Pcm
from sidecar.lab.audio.samples import resampled
from sidecar.lab.audio.wav import header
from sidecar.lab.call import Call
from sidecar.lab.engines.contract import Voice
from sidecar.lab.reply import Chunks, Refusal, Trouble
from sidecar.lab.takes import TimedChunk

CHUNK_SECONDS = 0.2


async def speech(call: Call, text: str, voice: Voice, audio: AudioFormat) -> AsyncGenerator[TimedChunk, None]:
    """*text* spoken and encoded as fast as it goes.

    Raises:
        Refusal: the lab cannot make the format.
    """
    takes = call.bench.takes if call.engines.synthesizer.repeatable else None
    key = (text, voice, audio)
    if takes is not None and (take := takes.get(key)) is not None:
        for chunk in take:
            yield chunk
        return
    made: list[TimedChunk] = []
    async with aclosing(_encoded(call, text, voice, audio)) as chunks:
        async for chunk in chunks:
            made.append(chunk)
            yield chunk
    if takes is not None:
        takes.put(key, made)


async def _encoded(call: Call, text: str, voice: Voice, audio: AudioFormat) -> AsyncGenerator[TimedChunk, None]:
    try:
        encoding = encoder(audio)
    except UnsupportedFormat as error:
        raise Refusal(Trouble.INVALID, f"The audio format is not supported: {error}.") from None
    held_back_seconds = 0.0
    async with aclosing(call.engines.synthesizer.speak(text, voice, audio.rate)) as sounds:
        async for sound in sounds:
            for piece in sound.slices(CHUNK_SECONDS):
                held_back_seconds += piece.seconds
                if data := encoding.feed(piece):
                    yield data, held_back_seconds
                    held_back_seconds = 0.0
    if data := encoding.finish():
        yield data, held_back_seconds


async def paced(call: Call, chunks: AsyncGenerator[TimedChunk, None]) -> AsyncGenerator[TimedChunk, None]:
    """*chunks* at the provider's pace, the first of them without delay."""
    async with aclosing(chunks):
        ahead_seconds = 0.0
        async for chunk, seconds in chunks:
            if ahead_seconds:
                await call.bench.clock.sleep(ahead_seconds)
            yield chunk, seconds
            ahead_seconds = call.bench.latency.audio_seconds(seconds)


async def audio_stream(call: Call, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    """*text* as the body of an answer that is streamed."""
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, _ in chunks:
            yield chunk


async def audio_file(call: Call, text: str, voice: Voice, audio: AudioFormat) -> tuple[bytes, float]:
    """*text* as a whole file, with true sizes where its container has any, and for how many seconds it plays."""
    chunks = [chunk async for chunk in speech(call, text, voice, audio)]
    data, seconds = b"".join(chunk for chunk, _ in chunks), sum(seconds for _, seconds in chunks)
    if audio.container == "wav":
        payload = data[len(header(audio.codec, audio.rate)) :]
        data = header(audio.codec, audio.rate, len(payload)) + payload
    return data, seconds


async def sounds(call: Call, text: str, voice: Voice, rate: int) -> AsyncGenerator[Pcm, None]:
    """*text* as samples of exactly that rate, in short pieces at the provider's pace."""
    ahead_seconds = 0.0
    async with aclosing(call.engines.synthesizer.speak(text, voice, rate)) as spoken:
        async for sound in spoken:
            for piece in resampled(sound, rate).slices(CHUNK_SECONDS):
                if ahead_seconds:
                    await call.bench.clock.sleep(ahead_seconds)
                yield piece
                ahead_seconds = call.bench.latency.audio_seconds(piece.seconds)
