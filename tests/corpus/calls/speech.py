"""Calls to Deepgram, ElevenLabs, Cartesia and AssemblyAI."""

import asyncio
from typing import Any

from tests.corpus.calls.table import pcm, sends, wav, wav_file

DEEPGRAM_HOST = "api.deepgram.com"


def deepgram(authority: str) -> Any:
    from deepgram import DeepgramClient
    from deepgram.environment import DeepgramClientEnvironment

    places = DeepgramClientEnvironment(
        base=f"http://{authority}",
        production=f"ws://{authority}",
        agent=f"ws://{authority}",
        agent_rest=f"http://{authority}",
    )
    return DeepgramClient(api_key="dummy", environment=places)


@sends("deepgram", DEEPGRAM_HOST, "listen")
def _(authority: str) -> None:
    deepgram(authority).listen.v1.media.transcribe_file(
        request=wav(), model="nova-3", language="ru", smart_format=True, keyterm=["лампа", "lamp"], utterances=True
    )


@sends("deepgram", DEEPGRAM_HOST, "listen.url")
def _(authority: str) -> None:
    deepgram(authority).listen.v1.media.transcribe_url(
        url="https://example.com/a.wav", model="nova-3", detect_language=True
    )


@sends("deepgram", DEEPGRAM_HOST, "listen.socket")
def _(authority: str) -> None:
    with deepgram(authority).listen.v1.connect(
        model="nova-3", encoding="linear16", sample_rate=16000, interim_results=True
    ) as connection:
        connection.recv()


@sends("deepgram", DEEPGRAM_HOST, "listen.v2.socket")
def _(authority: str) -> None:
    with deepgram(authority).listen.v2.connect(
        model="flux-general-en", encoding="linear16", sample_rate=16000
    ) as connection:
        connection.recv()


@sends("deepgram", DEEPGRAM_HOST, "speak")
def _(authority: str) -> None:
    audio = deepgram(authority).speak.v1.audio.generate(
        text="We are open.", model="aura-2-thalia-en", encoding="linear16", container="wav", sample_rate=24000
    )
    b"".join(audio)


@sends("deepgram", DEEPGRAM_HOST, "speak.v2")
def _(authority: str) -> None:
    b"".join(deepgram(authority).speak.v2.audio.generate(text="We are open.", model="flux-anna-en"))


@sends("deepgram", DEEPGRAM_HOST, "speak.socket")
def _(authority: str) -> None:
    with deepgram(authority).speak.v1.connect(
        model="aura-2-thalia-en", encoding="mulaw", sample_rate=8000
    ) as connection:
        connection.recv()


@sends("deepgram", DEEPGRAM_HOST, "speak.v2.socket")
def _(authority: str) -> None:
    with deepgram(authority).speak.v2.connect(model="flux-anna-en", encoding="linear16") as connection:
        connection.recv()


@sends("deepgram", "agent.deepgram.com", "agent.socket")
def _(authority: str) -> None:
    with deepgram(authority).agent.v1.connect() as connection:
        connection.recv()


ELEVENLABS_HOST = "api.elevenlabs.io"
VOICE = "JBFqnCBsd6RMkjVDRZzb"


def elevenlabs(authority: str, scheme: str = "http") -> Any:
    from elevenlabs.client import ElevenLabs

    return ElevenLabs(api_key="sk_dummy", base_url=f"{scheme}://{authority}")


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-speech")
def _(authority: str) -> None:
    from elevenlabs import VoiceSettings

    audio = elevenlabs(authority).text_to_speech.convert(
        VOICE,
        text="We are open. Привет!",
        model_id="eleven_multilingual_v2",
        output_format="mp3_22050_32",
        voice_settings=VoiceSettings(stability=0.4, speed=1.1),
        seed=7,
    )
    b"".join(audio)


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-speech.stream")
def _(authority: str) -> None:
    audio = elevenlabs(authority).text_to_speech.stream(
        VOICE, text="We are open.", model_id="eleven_flash_v2_5", language_code="ru", output_format="pcm_16000"
    )
    b"".join(audio)


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-speech.with-timestamps")
def _(authority: str) -> None:
    elevenlabs(authority).text_to_speech.convert_with_timestamps(VOICE, text="We are open.")


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-speech.stream.with-timestamps")
def _(authority: str) -> None:
    list(elevenlabs(authority).text_to_speech.stream_with_timestamps(VOICE, text="We are open."))


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-speech.stream-input", tls=True)
def _(authority: str) -> None:
    list(
        elevenlabs(authority, "https").text_to_speech.convert_realtime(VOICE, text=iter(["Hi "]), model_id="eleven_v3")
    )


@sends("elevenlabs", ELEVENLABS_HOST, "text-to-dialogue")
def _(authority: str) -> None:
    lines = [{"text": "Open?", "voice_id": VOICE}, {"text": "Yes.", "voice_id": "Aw4FAjKCGjjNkVhN1Xmq"}]
    b"".join(elevenlabs(authority).text_to_dialogue.convert(inputs=lines, model_id="eleven_v3"))


@sends("elevenlabs", ELEVENLABS_HOST, "speech-to-text")
def _(authority: str) -> None:
    elevenlabs(authority).speech_to_text.convert(
        model_id="scribe_v2",
        file=wav_file(),
        language_code="ru",
        diarize=False,
        keyterms=["lamp", "lustre"],
        timestamps_granularity="word",
    )


@sends("elevenlabs", ELEVENLABS_HOST, "speech-to-text.pcm")
def _(authority: str) -> None:
    elevenlabs(authority).speech_to_text.convert(
        model_id="scribe_v1", file=("raw.pcm", pcm(), "application/octet-stream"), file_format="pcm_s16le_16"
    )


@sends("elevenlabs", ELEVENLABS_HOST, "speech-to-text.realtime")
def _(authority: str) -> None:
    from elevenlabs import AudioFormat

    options = {"model_id": "scribe_v2_realtime", "audio_format": AudioFormat.PCM_16000, "sample_rate": 16000}
    asyncio.run(elevenlabs(authority).speech_to_text.realtime.connect(options))


@sends("elevenlabs", ELEVENLABS_HOST, "convai.conversation")
def _(authority: str) -> None:
    from elevenlabs.conversational_ai.conversation import AudioInterface, Conversation

    class Silent(AudioInterface):
        def start(self, input_callback: Any) -> None: ...
        def stop(self) -> None: ...
        def output(self, audio: bytes) -> None: ...
        def interrupt(self) -> None: ...

    conversation = Conversation(
        elevenlabs(authority), "agent_1", requires_auth=False, audio_interface=Silent(), client_tools=None
    )
    conversation.start_session()
    conversation.wait_for_session_end()


CARTESIA_HOST = "api.cartesia.ai"
MP3 = {"container": "mp3", "sample_rate": 44100, "bit_rate": 128000}
RAW = {"container": "raw", "encoding": "pcm_f32le", "sample_rate": 44100}


def cartesia(authority: str) -> Any:
    from cartesia import Cartesia

    return Cartesia(
        api_key="sk_car_dummy", base_url=f"http://{authority}", websocket_base_url=f"ws://{authority}", max_retries=0
    )


@sends("cartesia", CARTESIA_HOST, "tts.bytes")
def _(authority: str) -> None:
    cartesia(authority).tts.generate(
        model_id="sonic-3.5",
        transcript="We are open.",
        voice={"mode": "id", "id": "6ccbfb76"},
        output_format=MP3,
        language="ru",
        generation_config={"speed": 1.2},
    )


@sends("cartesia", CARTESIA_HOST, "tts.sse")
def _(authority: str) -> None:
    cartesia(authority).tts.generate_sse(
        model_id="sonic-3.5", transcript="We are open.", voice={"mode": "id", "id": "6ccbfb76"}, output_format=RAW
    )


@sends("cartesia", CARTESIA_HOST, "tts.socket")
def _(authority: str) -> None:
    with cartesia(authority).tts.websocket_connect() as connection:
        connection.recv()


@sends("cartesia", CARTESIA_HOST, "stt")
def _(authority: str) -> None:
    cartesia(authority).stt.transcribe(
        file=("question.wav", wav()), model="ink-whisper", language="ru", timestamp_granularities=["word"]
    )


@sends("cartesia", CARTESIA_HOST, "stt.raw")
def _(authority: str) -> None:
    cartesia(authority).stt.transcribe(
        file=("raw.pcm", pcm()), model="ink-whisper", encoding="pcm_s16le", sample_rate=16000
    )


@sends("cartesia", CARTESIA_HOST, "stt.socket")
def _(authority: str) -> None:
    with cartesia(authority).stt.manual_finalize.websocket(
        model="ink-whisper", encoding="pcm_s16le", sample_rate=16000
    ) as connection:
        connection.recv()


@sends("cartesia", CARTESIA_HOST, "stt.turns.socket")
def _(authority: str) -> None:
    with cartesia(authority).stt.auto_finalize.websocket(
        model="ink-2", encoding="pcm_s16le", sample_rate=16000
    ) as connection:
        connection.recv()


def assemblyai(authority: str) -> Any:
    import assemblyai as aai

    place = f"http://{authority}"
    aai.settings.api_key = "dummy"
    for name in ("base_url", "sync_base_url", "tts_base_url", "dictation_base_url", "llm_gateway_base_url"):
        setattr(aai.settings, name, place)
    return aai


TRANSCRIPT = b'{"id": "t1", "status": "completed", "text": "hello", "audio_url": "https://example.com/u1"}'
UPLOADED = b'{"upload_url": "https://cdn.assemblyai.com/upload/u1"}'


@sends(
    "assemblyai",
    "api.assemblyai.com",
    "upload",
    "transcript",
    "transcript.poll",
    answers={"/v2/upload": UPLOADED, "/v2/transcript/": TRANSCRIPT, "/v2/transcript": TRANSCRIPT},
)
def _(authority: str) -> None:
    aai = assemblyai(authority)
    config = aai.TranscriptionConfig(
        language_code="ru", speaker_labels=True, keyterms_prompt=["lamp"], speech_models=["universal-3-pro"]
    )
    aai.Transcriber(config=config).transcribe(wav_file())


@sends("assemblyai", "sync.assemblyai.com", "transcribe")
def _(authority: str) -> None:
    aai = assemblyai(authority)
    aai.SyncTranscriber().transcribe(
        wav(), aai.SyncTranscriptionConfig(language_codes=["ru"], prompt="Лампы", timestamps=True)
    )


@sends("assemblyai", "tts.us.assemblyai.com", "speech")
def _(authority: str) -> None:
    aai = assemblyai(authority)
    config = aai.TTSConfig(voice_id="aai-alba", container=aai.TTSContainer.wav)
    aai.TextToSpeech().synthesize("We are open.", config)


@sends("assemblyai", "tts.us.assemblyai.com", "speech.stream")
def _(authority: str) -> None:
    aai = assemblyai(authority)
    with aai.TextToSpeech(config=aai.TTSConfig(voice_id="aai-alba")).stream("We are open.") as speech:
        list(speech)


@sends("assemblyai", "llm-gateway.assemblyai.com", "chat.completions")
def _(authority: str) -> None:
    aai = assemblyai(authority)
    aai.LLMGateway().chat.completions.create(
        model="claude-sonnet-5", messages=[{"role": "user", "content": "Hello"}], max_tokens=9
    )


@sends("assemblyai", "streaming.assemblyai.com", "streaming")
def _(authority: str) -> None:
    from assemblyai.streaming.v3 import StreamingClient, StreamingClientOptions, StreamingParameters

    client = StreamingClient(
        StreamingClientOptions(api_key="dummy", api_host=f"ws://{authority}", max_connection_retries=0)
    )
    client.connect(
        StreamingParameters(sample_rate=16000, speech_model="universal-streaming-english", keyterms_prompt=["lamp"])
    )
