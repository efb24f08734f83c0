"""Anthropic's messages."""

from typing import Final

from sidecar.translation.chat.messages.read_answer import MessagesReader, read_whole
from sidecar.translation.chat.messages.read_request import read_request
from sidecar.translation.chat.messages.write_answer import MessagesWriter
from sidecar.translation.chat.messages.write_request import write_request
from sidecar.translation.chat.wire import Wire

MESSAGES: Final = Wire(
    name="messages",
    read_request=read_request,
    write_request=write_request,
    read_whole=read_whole,
    reader=MessagesReader,
    writer=MessagesWriter,
)
