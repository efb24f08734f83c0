"""OpenAI's responses."""

from typing import Final

from sidecar.translation.chat.responses.read_answer import ResponsesReader, read_whole
from sidecar.translation.chat.responses.read_request import read_request
from sidecar.translation.chat.responses.write_answer import ResponsesWriter
from sidecar.translation.chat.responses.write_request import write_request
from sidecar.translation.chat.wire import Wire

RESPONSES: Final = Wire(
    name="responses",
    read_request=read_request,
    write_request=write_request,
    read_whole=read_whole,
    reader=ResponsesReader,
    writer=ResponsesWriter,
)
