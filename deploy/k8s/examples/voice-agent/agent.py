"""A voice agent in miniature, without an idea that there is a sidecar: the provider's address is its own.

Again and again it has a question spoken, hears it, thinks, and has the answer spoken. Standard library alone.
"""

import json
import logging
import os
import time
import urllib.request
from typing import Any

API = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
KEY = os.environ["OPENAI_API_KEY"]
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "30"))
#: 0: without end.
ROUNDS = int(os.environ.get("ROUNDS", "0"))
QUESTION = "Do you have a table for two tonight?"
PROMPT = "You are the telephone assistant of a small restaurant. Answer in one short sentence."


def call(path: str, body: bytes, content_type: str = "application/json") -> bytes:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": content_type}
    with urllib.request.urlopen(urllib.request.Request(f"{API}{path}", body, headers), timeout=60) as answer:
        return bytes(answer.read())


def speak(text: str) -> bytes:
    asked = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": text, "response_format": "wav"}
    return call("/audio/speech", json.dumps(asked).encode())


def hear(sound: bytes) -> str:
    boundary = "a-voice-agent-in-miniature"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="question.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    body += sound + f"\r\n--{boundary}--\r\n".encode()
    return str(json.loads(call("/audio/transcriptions", body, f"multipart/form-data; boundary={boundary}"))["text"])


def think(question: str) -> str:
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": question}]
    answer: dict[str, Any] = json.loads(
        call("/chat/completions", json.dumps({"model": "gpt-4o-mini", "messages": messages}).encode())
    )
    return str(answer["choices"][0]["message"]["content"])


def converse() -> None:
    began = time.monotonic()
    heard = hear(speak(QUESTION))
    thought = think(heard)
    sound = speak(thought)
    logging.info("heard %r, said %r: %d bytes after %.2f s", heard, thought, len(sound), time.monotonic() - began)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    done = 0
    while True:
        try:
            converse()
        except OSError as error:  # what urllib raises, refusals included
            logging.warning("no answer: %s", error)
        done += 1
        if done == ROUNDS:
            return
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
