"""Gemini's content, whole and streamed."""

from typing import Final

from sidecar.translation.chat.gemini.read_answer import GeminiReader, read_whole
from sidecar.translation.chat.gemini.read_request import read_request
from sidecar.translation.chat.gemini.write_answer import GeminiWriter
from sidecar.translation.chat.gemini.write_request import write_request
from sidecar.translation.chat.wire import Wire

GEMINI: Final = Wire(
    name="content",
    read_request=read_request,
    write_request=write_request,
    read_whole=read_whole,
    reader=GeminiReader,
    writer=GeminiWriter,
)
