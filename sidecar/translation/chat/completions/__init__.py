"""Chat completions: OpenAI's, and those of all who follow it."""

from typing import Final

from sidecar.translation.chat.completions.read_answer import CompletionsReader, read_whole
from sidecar.translation.chat.completions.read_request import read_request
from sidecar.translation.chat.completions.write_answer import CompletionsWriter
from sidecar.translation.chat.completions.write_request import write_request
from sidecar.translation.chat.wire import Wire

COMPLETIONS: Final = Wire(
    name="chat completions",
    read_request=read_request,
    write_request=write_request,
    read_whole=read_whole,
    reader=CompletionsReader,
    writer=CompletionsWriter,
)
