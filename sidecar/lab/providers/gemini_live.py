"""The Live socket: speech or text in, speech or text out. Its JSON comes in binary frames, as the service sends it."""

import asyncio
import base64
import json
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json, from_base64
from sidecar.lab.engines.contract import Prompt, Turn
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.providers.gemini_prompt import raw_audio, tools_of, voice_of
from sidecar.lab.providers.google_words import field
from sidecar.lab.reply import Refusal, dumps
from sidecar.lab.sockets import Socket, cancelled, message_of
from sidecar.lab.speech import sounds

_VOICE_RATE = 24000


class LiveSession:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._setup: Json = {}
        self._turns: list[Turn] = []
        self._ear: Ear | None = None
        self._answer: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            async for data in self._socket:
                message = message_of(data if isinstance(data, str) else data.decode())
                await self._take(message)
        except Refusal as refusal:
            await self._socket.close(1007, refusal.message)
        finally:
            await cancelled(self._answer)

    async def _tell(self, **message: Any) -> None:
        await self._socket.send_bytes(dumps(message))

    async def _take(self, message: Json) -> None:
        if (setup := message.get("setup")) is not None:
            self._setup = setup
            await self._tell(setupComplete={})
        elif (content := field(message, "clientContent")) is not None:
            for turn in content.get("turns") or ():
                text = "\n".join(str(part.get("text") or "") for part in turn.get("parts") or ())
                self._turns.append(Turn({"model": "assistant"}.get(str(turn.get("role")), "user"), text))
            if field(content, "turnComplete"):
                await self._respond()
        elif (given := field(message, "realtimeInput")) is not None:
            await self._hear(given)
        elif (answer := field(message, "toolResponse")) is not None:
            responses = field(answer, "functionResponses") or ()
            self._turns.append(Turn("tool", json.dumps([one.get("response") for one in responses])))
            await self._respond()

    async def _hear(self, given: Json) -> None:
        if text := given.get("text"):
            self._turns.append(Turn("user", str(text)))
            await self._respond()
        for blob in [given.get("audio"), *(field(given, "mediaChunks") or ())]:
            if blob and str(field(blob, "mimeType")).startswith("audio/"):
                ear = self._ear = self._ear or self._new_ear(str(field(blob, "mimeType")))
                async for heard in ear.feed(from_base64(str(blob.get("data") or ""), "audio")):
                    await self._heed(heard)
        ended = field(given, "audioStreamEnd") or field(given, "activityEnd") is not None
        if ended and self._ear is not None and (last := await self._ear.flush()) is not None:
            await self._heed(last)

    def _new_ear(self, kind: str) -> Ear:
        return Ear(self._call, raw_audio(kind), pause_seconds=0.6, interim=False)

    async def _heed(self, heard: Heard) -> None:
        if heard.moment is Moment.STARTED and self._answer is not None and not self._answer.done():
            await cancelled(self._answer)
            await self._tell(serverContent={"interrupted": True})
        elif heard.moment is Moment.ENDED:
            if field(self._setup, "inputAudioTranscription") is not None:
                await self._tell(serverContent={"inputTranscription": {"text": heard.text}})
            self._turns.append(Turn("user", heard.text))
            await self._respond()

    async def _respond(self) -> None:
        await cancelled(self._answer)
        self._answer = asyncio.create_task(self._say())

    async def _say(self) -> None:
        config = field(self._setup, "generationConfig") or {}
        tools = tools_of(self._setup.get("tools") or ())
        completion = await self._call.engines.chat.complete(Prompt(turns=tuple(self._turns), tools=tools))
        await self._call.take_time(Operation.REALTIME, completion.input_tokens / 1000)
        if completion.calls:
            calls = [
                {"id": self._call.ids.named("function-call-", 16), "name": one.name, "args": one.arguments}
                for one in completion.calls
            ]
            await self._tell(toolCall={"functionCalls": calls})
            return
        text = completion.text
        self._turns.append(Turn("assistant", text))
        if "TEXT" in (field(config, "responseModalities") or ()):
            await self._tell(serverContent={"modelTurn": {"parts": [{"text": text}]}})
        else:
            await self._speak(text, field(config, "speechConfig") or {})
        await self._tell(serverContent={"generationComplete": True})
        usage = {
            "promptTokenCount": completion.input_tokens,
            "responseTokenCount": completion.output_tokens,
            "totalTokenCount": completion.total_tokens,
        }
        await self._tell(serverContent={"turnComplete": True}, usageMetadata=usage)

    async def _speak(self, text: str, config: Json) -> None:
        voice = voice_of(config, str(self._setup.get("model") or ""))
        if field(self._setup, "outputAudioTranscription") is not None:
            await self._tell(serverContent={"outputTranscription": {"text": text}})
        async for sound in sounds(self._call, text, voice, _VOICE_RATE):
            data = base64.b64encode(sound.samples).decode()
            part = {"inlineData": {"mimeType": f"audio/pcm;rate={_VOICE_RATE}", "data": data}}
            await self._tell(serverContent={"modelTurn": {"parts": [part]}})
