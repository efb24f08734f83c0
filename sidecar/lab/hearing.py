"""Uploaded audio made into text."""

from msgspec import Struct

from sidecar.lab.audio.decode import Undecodable, decoded, decoded_raw
from sidecar.lab.call import Call
from sidecar.lab.engines.contract import Transcript
from sidecar.lab.reply import Refusal, Trouble


class RawAudio(Struct, frozen=True):
    """How to read samples that have no header."""

    codec: str = "pcm_s16le"
    rate: int = 16000
    channels: int = 1


async def transcript_of(
    call: Call, data: bytes, raw: RawAudio | None = None, *, language: str | None = None, prompt: str = ""
) -> Transcript:
    """What is said in *data*: a file that tells its own format, or samples as *raw* says.

    Raises:
        Refusal: there is none, or it cannot be read.
    """
    if not data:
        raise Refusal(Trouble.INVALID, "The audio file is empty.", param="file")
    recognizer = call.engines.recognizer
    try:
        audio = decoded(data) if raw is None else decoded_raw(data, raw.codec, raw.rate, raw.channels)
    except Undecodable:
        guess = recognizer.unreadable(data)
        if guess is None:
            raise Refusal(Trouble.INVALID, "The audio could not be decoded, or its format is not supported.") from None
        return guess
    return await recognizer.transcribe(audio, language, prompt)
