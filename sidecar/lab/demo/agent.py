"""A voice agent as anybody would write it: three official SDKs, and no idea that there is a sidecar.

``python agent.py OUT_DIRECTORY QUESTION.wav…`` answers each recorded question and leaves the spoken answers in the
directory.
"""

import sys
import time
from pathlib import Path

from deepgram import DeepgramClient
from elevenlabs.client import ElevenLabs
from openai import OpenAI

PROMPT = "You are the telephone assistant of a small restaurant. Answer in one or two short sentences."

hearing, thinking, speaking = DeepgramClient(), OpenAI(), ElevenLabs()


def hear(question: Path) -> str:
    heard = hearing.listen.v1.media.transcribe_file(
        request=question.read_bytes(), model="nova-3", language="en", smart_format=True
    )
    return str(heard.results.channels[0].alternatives[0].transcript)


def think(question: str) -> str:
    pieces = thinking.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "system", "content": PROMPT}, {"role": "user", "content": question}],
        temperature=0,
        stream=True,
    )
    return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)


def speak(answer: str, file: Path) -> float:
    """When the first sound was there, in seconds as `time.perf_counter` counts them."""
    sound = speaking.text_to_speech.stream(
        "JBFqnCBsd6RMkjVDRZzb", text=answer, model_id="eleven_flash_v2_5", output_format="mp3_22050_32"
    )
    first = next(iter(sound))
    began = time.perf_counter()
    file.write_bytes(first + b"".join(sound))
    return began


def main(out: Path, questions: list[Path]) -> None:
    for number, recording in enumerate(questions, 1):
        asked = time.perf_counter()
        question = hear(recording)
        heard = time.perf_counter()
        print(f"heard   “{question}” after {heard - asked:.3f} s", flush=True)
        answer = think(question)
        thought = time.perf_counter()
        print(f"thought “{answer}” after {thought - heard:.3f} s", flush=True)
        began = speak(answer, out / f"answer-{number}.mp3")
        print(f"spoke   the caller hears the answer {began - asked:.3f} s after the question", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
