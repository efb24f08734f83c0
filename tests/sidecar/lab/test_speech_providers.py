"""The emulated speech services over HTTP: what one speaks, all understand."""

import base64
import io
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from sidecar.lab import Lab

TEXT = "Hello over there. How are you?"
PLAIN = "hello over there how are you"
DEEPGRAM = {"Authorization": "Token k"}
ELEVENLABS = {"xi-api-key": "k"}
GOOGLE = {"Authorization": "Bearer k"}
YANDEX = {"Authorization": "Api-Key k"}
CARTESIA = {"Authorization": "Bearer k", "Cartesia-Version": "2026-08-14"}
ASSEMBLYAI = {"Authorization": "k"}
AZURE = {"Ocp-Apim-Subscription-Key": "k"}


class Client:
    """Calls that must succeed."""

    def __init__(self, lab: Lab, http: aiohttp.ClientSession) -> None:
        self._lab = lab
        self._http = http

    async def bytes(self, provider: str, target: str, headers: dict[str, str], **body: object) -> bytes:
        async with self._http.post(self._lab.url(provider) + target, headers=headers, **body) as answer:
            data = await answer.read()
            assert answer.status == 200, data
            return data

    async def json(self, provider: str, target: str, headers: dict[str, str], **body: object) -> dict[str, object]:
        return json.loads(await self.bytes(provider, target, headers, **body))


@pytest.fixture
def client(lab: Lab, http: aiohttp.ClientSession) -> Client:
    return Client(lab, http)


@pytest.fixture
async def wav(client: Client) -> bytes:
    """TEXT as a WAV of 16 kHz."""
    body = {"text": TEXT, "sample_rate": 16000, "container": "wav"}
    return await client.bytes("assemblyai", "/v1/speech", ASSEMBLYAI, json=body)


def form(data: bytes, name: str = "file", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for field, value in fields.items():
        made.add_field(field, value)
    made.add_field(name, io.BytesIO(data), filename="a.wav")
    return made


Heard = Callable[[Client, bytes], Awaitable[str]]


async def deepgram(client: Client, data: bytes) -> str:
    answer = await client.json("deepgram", "/v1/listen?smart_format=true", DEEPGRAM, data=data)
    return answer["results"]["channels"][0]["alternatives"][0]["transcript"]


async def elevenlabs(client: Client, data: bytes) -> str:
    return (await client.json("elevenlabs", "/v1/speech-to-text", ELEVENLABS, data=form(data, model_id="scribe_v1")))[
        "text"
    ]


async def google_v1(client: Client, data: bytes) -> str:
    config = {"languageCode": "en-US", "enable_automatic_punctuation": True}
    body = {"config": config, "audio": {"content": base64.b64encode(data).decode()}}
    answer = await client.json("google-speech", "/v1/speech:recognize", GOOGLE, json=body)
    return " ".join(result["alternatives"][0]["transcript"] for result in answer["results"])


async def google_v2(client: Client, data: bytes) -> str:
    config = {"autoDecodingConfig": {}, "languageCodes": ["en-US"], "features": {"enableAutomaticPunctuation": True}}
    body = {"config": config, "content": base64.b64encode(data).decode()}
    path = "/v2/projects/p/locations/global/recognizers/_:recognize"
    answer = await client.json("google-speech", path, GOOGLE, json=body)
    return " ".join(result["alternatives"][0]["transcript"] for result in answer["results"])


async def cartesia(client: Client, data: bytes) -> str:
    answer = await client.json("cartesia", "/stt", CARTESIA, data=form(data, model="ink-whisper", language="en"))
    assert answer["type"] == "transcript"
    return answer["text"]


async def assemblyai_sync(client: Client, data: bytes) -> str:
    made = aiohttp.FormData()
    made.add_field("config", "{}", content_type="application/json")
    made.add_field("audio", io.BytesIO(data), filename="a.wav")
    headers = {**ASSEMBLYAI, "X-AAI-Model": "universal-3-5-pro"}
    answer = await client.json("assemblyai", "/v1/transcribe", headers, data=made)
    assert {"confidence", "audio_duration_ms", "session_id"} < set(answer)
    return answer["text"]


async def azure_short(client: Client, data: bytes) -> str:
    path = "/speech/recognition/conversation/cognitiveservices/v1?language=en-US"
    answer = await client.json("azure-speech", path, {**AZURE, "Content-Type": "audio/wav"}, data=data)
    assert answer["RecognitionStatus"] == "Success"
    return answer["DisplayText"]


async def azure_fast(client: Client, data: bytes) -> str:
    path = "/speechtotext/transcriptions:transcribe?api-version=2024-11-15"
    made = form(data, "audio", definition='{"locales": ["en-US"]}')
    return (await client.json("azure-speech", path, AZURE, data=made))["combinedPhrases"][0]["text"]


async def yandex(client: Client, data: bytes) -> str:
    path = "/speech/v1/stt:recognize?lang=en-US&format=lpcm&sampleRateHertz=16000&rawResults=false"
    return (await client.json("yandex", path, YANDEX, data=data[44:]))["result"]


@pytest.mark.parametrize(
    "hear",
    [
        deepgram,
        elevenlabs,
        google_v1,
        google_v2,
        cartesia,
        assemblyai_sync,
        azure_short,
        azure_fast,
        yandex,
    ],
)
async def test_every_recogniser_gets_the_text_back(client, wav, hear):
    assert await hear(client, wav) == TEXT


SSML = f"<speak version='1.0' xml:lang='en-US'><voice name='en-US-LabNeural'>{TEXT}</voice></speak>"


async def google_speaks(client: Client, encoding: object) -> bytes:
    body = {
        "input": {"text": TEXT},
        "voice": {"languageCode": "en-US"},
        "audioConfig": {"audioEncoding": encoding, "sampleRateHertz": 24000},
    }
    answer = await client.json("google-speech", "/v1/text:synthesize", GOOGLE, json=body)
    return base64.b64decode(answer["audioContent"])


async def azure_speaks(client: Client, name: str) -> bytes:
    headers = {**AZURE, "Content-Type": "application/ssml+xml", "X-Microsoft-OutputFormat": name, "User-Agent": "t"}
    return await client.bytes("azure-speech", "/cognitiveservices/v1", headers, data=SSML.encode())


async def yandex_speaks(client: Client, kind: str) -> bytes:
    data = f"text={TEXT}&lang=en-US&format={kind}".encode()
    return await client.bytes("yandex", "/speech/v1/tts:synthesize", YANDEX, data=data)


async def yandex_v3_speaks(client: Client, kind: str) -> bytes:
    spec = {"containerAudio": {"containerAudioType": kind}}
    body = {"text": TEXT, "hints": [{"voice": "marina"}, {"speed": 1.1}], "outputAudioSpec": spec}
    lines = (await client.bytes("yandex", "/tts/v3/utteranceSynthesis", YANDEX, json=body)).splitlines()
    return b"".join(base64.b64decode(json.loads(line)["result"]["audioChunk"]["data"]) for line in lines)


async def deepgram_speaks(client: Client, query: str) -> bytes:
    return await client.bytes("deepgram", f"/v1/speak?model=aura-2&{query}", DEEPGRAM, json={"text": TEXT})


async def elevenlabs_speaks(client: Client, path: str) -> bytes:
    body = {"text": TEXT, "model_id": "eleven_flash_v2_5"}
    return await client.bytes("elevenlabs", f"/v1/text-to-speech/v1{path}", ELEVENLABS, json=body)


async def cartesia_speaks(client: Client, container: str) -> bytes:
    wanted = {"container": container, "encoding": "pcm_f32le", "sample_rate": 44100}
    body = {"model_id": "sonic", "transcript": TEXT, "voice": {"mode": "id", "id": "v"}, "output_format": wanted}
    return await client.bytes("cartesia", "/tts/bytes", CARTESIA, json=body)


@pytest.mark.parametrize(
    ("speak", "wanted", "magic"),
    [
        (google_speaks, "LINEAR16", b"RIFF"),
        (google_speaks, 3, b"OggS"),
        (google_speaks, "MP3", b"\xff"),
        (google_speaks, "MULAW", b"RIFF"),
        (azure_speaks, "riff-24khz-16bit-mono-pcm", b"RIFF"),
        (azure_speaks, "audio-24khz-48kbitrate-mono-mp3", b"\xff"),
        (azure_speaks, "ogg-24khz-16bit-mono-opus", b"OggS"),
        (yandex_speaks, "oggopus", b"OggS"),
        (yandex_speaks, "mp3", b"\xff"),
        (yandex_v3_speaks, "WAV", b"RIFF"),
        (yandex_v3_speaks, "OGG_OPUS", b"OggS"),
        (deepgram_speaks, "encoding=linear16", b"RIFF"),
        (deepgram_speaks, "encoding=mulaw&sample_rate=8000", b"RIFF"),
        (deepgram_speaks, "encoding=mp3", b"\xff"),
        (deepgram_speaks, "encoding=flac", b"fLaC"),
        (elevenlabs_speaks, "?output_format=wav_22050", b"RIFF"),
        (elevenlabs_speaks, "/stream", b"\xff"),
        (elevenlabs_speaks, "/stream?output_format=opus_48000_64", b"OggS"),
        (cartesia_speaks, "wav", b"RIFF"),
        (cartesia_speaks, "mp3", b"\xff"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_every_voice_is_understood_by_a_recogniser(client, speak, wanted, magic):
    data = await speak(client, wanted)
    assert data.startswith(magic)
    assert await deepgram(client, data) == TEXT


async def test_deepgram_tells_words_utterances_and_the_audios_digest(client, wav):
    answer = await client.json("deepgram", "/v1/listen?utterances=true&diarize=true", DEEPGRAM, data=wav)
    alternative = answer["results"]["channels"][0]["alternatives"][0]
    assert alternative["transcript"] == PLAIN
    assert alternative["words"][0]["speaker"] == 0
    assert [one["transcript"] for one in answer["results"]["utterances"]] == ["hello over there", "how are you"]
    assert len(answer["metadata"]["sha256"]) == 64


async def test_deepgram_hears_samples_without_a_header_and_addresses(client, wav):
    query = "/v1/listen?punctuate=true&encoding=linear16&sample_rate=16000"
    answer = await client.json("deepgram", query, DEEPGRAM, data=wav[44:])
    assert answer["results"]["channels"][0]["alternatives"][0]["transcript"] == TEXT
    answer = await client.json("deepgram", "/v1/listen", DEEPGRAM, json={"url": "https://example.com/a.wav"})
    assert answer["results"]["channels"][0]["alternatives"][0]["transcript"]
    answer = await client.json("deepgram", "/v1/listen?callback=https://example.com", DEEPGRAM, data=wav)
    assert list(answer) == ["request_id"]


async def test_elevenlabs_times_each_character(client):
    body = {"text": TEXT}
    answer = await client.json("elevenlabs", "/v1/text-to-speech/v/with-timestamps", ELEVENLABS, json=body)
    assert "".join(answer["alignment"]["characters"]) == TEXT
    assert answer["alignment"]["character_end_times_seconds"][-1] == pytest.approx(2.76, abs=0.05)
    path = "/v1/text-to-speech/v/stream/with-timestamps?output_format=pcm_16000"
    lines = [json.loads(line) for line in (await client.bytes("elevenlabs", path, ELEVENLABS, json=body)).splitlines()]
    assert "".join("".join(line["alignment"]["characters"]) for line in lines if line["alignment"]) == TEXT
    assert sum(len(base64.b64decode(line["audio_base64"])) for line in lines) == pytest.approx(2.76 * 32000)


async def test_elevenlabs_costs_what_the_text_is_long(lab, http):
    url = lab.url("elevenlabs") + "/v1/text-to-speech/v?output_format=pcm_16000"
    async with http.post(url, json={"text": TEXT}, headers=ELEVENLABS) as answer:
        assert answer.headers["character-cost"] == str(len(TEXT))


async def test_elevenlabs_hears_bare_samples(client, wav):
    made = form(wav[44:], model_id="scribe_v1", file_format="pcm_s16le_16")
    answer = await client.json("elevenlabs", "/v1/speech-to-text", ELEVENLABS, data=made)
    assert answer["text"] == TEXT
    assert "".join(word["text"] for word in answer["words"]) == TEXT


async def test_google_takes_numbers_for_names_and_times_words(client, wav):
    config = {"languageCode": "en-US", "encoding": 1, "sample_rate_hertz": 16000, "enableWordTimeOffsets": True}
    body = {"config": config, "audio": {"content": base64.b64encode(wav[44:]).decode()}}
    path = "/v1/speech:recognize?%24alt=json%3Benum-encoding%3Dint"
    answer = await client.json("google-speech", path, GOOGLE, json=body)
    first = answer["results"][0]["alternatives"][0]
    assert first["transcript"] == "hello over there"
    assert first["words"][0]["startTime"].endswith("s")
    assert int(answer["requestId"]) > 0


async def test_silence_is_no_error(client):
    quiet = bytes(16000)
    body = {
        "config": {"languageCode": "en-US", "encoding": "LINEAR16", "sampleRateHertz": 16000},
        "audio": {"content": base64.b64encode(quiet).decode()},
    }
    assert "results" not in await client.json("google-speech", "/v1/speech:recognize", GOOGLE, json=body)
    path = "/speech/v1/stt:recognize?format=lpcm&sampleRateHertz=16000"
    assert await client.json("yandex", path, YANDEX, data=quiet) == {"result": ""}


async def test_azures_failure_hides_in_a_success(client):
    from sidecar.lab.audio import wav as wave
    from sidecar.lab.audio.pcm import silence

    path = "/speech/recognition/conversation/cognitiveservices/v1?language=en-US&format=detailed"
    headers = {**AZURE, "Content-Type": "audio/wav"}
    answer = await client.json("azure-speech", path, headers, data=wave.file(silence(1, 16000)))
    assert answer["RecognitionStatus"] == "InitialSilenceTimeout"
    assert answer["Duration"] == 10_000_000


@pytest.mark.parametrize(
    ("target", "headers", "body", "status"),
    [
        ("/speech/v1/stt:recognize?format=mp3", {}, b"x", 400),
        ("/speech/v1/stt:recognize?format=lpcm&sampleRateHertz=16000", {}, bytes((1 << 20) + 2), 400),
        ("/speech/v1/stt:recognize?format=lpcm", {}, b"RIFF....", 400),
        ("/speech/v1/tts:synthesize", {}, b"text=hi&format=wav", 400),
        ("/speech/v1/tts:synthesize", {}, b"text=" + b"a" * 16000, 400),
        ("/speech/v1/tts:synthesize", {}, b"lang=ru-RU", 400),
        ("/tts/v3/utteranceSynthesis", {}, json.dumps({"text": "a" * 251}).encode(), 400),
    ],
)
async def test_yandex_has_its_limits(lab, http, target, headers, body, status):
    async with http.post(lab.url("yandex") + target, data=io.BytesIO(body), headers={**YANDEX, **headers}) as answer:
        assert answer.status == status
        assert (await answer.json())["error_code"] == "BAD_REQUEST"


async def test_yandex_reads_forms_that_are_not_encoded(client):
    data = "text=Привет & как **дела**, w%2Borld&lang=ru-RU&format=oggopus".encode()
    heard = await deepgram(client, await client.bytes("yandex", "/speech/v1/tts:synthesize", YANDEX, data=data))
    assert heard == "Привет & как дела, world"


async def test_assemblyai_works_through_uploads_and_jobs(client, lab, http, wav):
    upload = await client.json("assemblyai", "/v2/upload", ASSEMBLYAI, data=wav)
    job = await client.json("assemblyai", "/v2/transcript", ASSEMBLYAI, json={"audio_url": upload["upload_url"]})
    assert job["status"] == "queued"
    url = f"{lab.url('assemblyai')}/v2/transcript/{job['id']}"
    async with http.get(url, headers=ASSEMBLYAI) as answer:
        done = await answer.json()
    assert (done["status"], done["text"], len(done["words"])) == ("completed", TEXT, 6)
    async with http.get(url + "/sentences", headers=ASSEMBLYAI) as answer:
        assert [one["text"] for one in (await answer.json())["sentences"]] == ["Hello over there.", "How are you?"]
    async with http.get(url + "/srt", headers=ASSEMBLYAI) as answer:
        assert "00:00:00,000 --> 00:00:01,500" in await answer.text()
    async with http.get(url[:-4] + "none", headers=ASSEMBLYAI) as answer:
        assert answer.status == 400


async def test_assemblyai_wants_its_model_header_and_wav(lab, http, wav):
    url = lab.url("assemblyai") + "/v1/transcribe"
    async with http.post(url, data=form(wav, "audio"), headers=ASSEMBLYAI) as answer:
        assert answer.status == 400
    headers = {**ASSEMBLYAI, "X-AAI-Model": "universal-3-5-pro"}
    async with http.post(url, data=form(b"ID3 an mp3", "audio"), headers=headers) as answer:
        assert answer.status == 415
    async with http.post(url, data=form(wav[:100], "audio"), headers=headers) as answer:
        assert answer.status == 400


async def test_assemblyai_describes_its_speech_in_headers(lab, http):
    body = {"text": TEXT, "encoding": "mulaw", "sample_rate": 8000}
    async with http.post(lab.url("assemblyai") + "/v1/speech", json=body, headers=ASSEMBLYAI) as answer:
        assert answer.headers["X-TTS-Encoding"] == "pcm_mulaw"
        assert answer.headers["X-TTS-Audio-Duration-Ms"] == "2760"
        assert answer.headers["Content-Type"] == "audio/pcm;rate=8000;channels=1"
        assert len(await answer.read()) == int(2.76 * 8000)


async def test_cartesias_events_end_with_done(client):
    wanted = {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000}
    body = {
        "model_id": "sonic",
        "transcript": TEXT,
        "voice": {"mode": "id", "id": "v"},
        "output_format": wanted,
        "add_timestamps": True,
    }
    blocks = (await client.bytes("cartesia", "/tts/sse", CARTESIA, json=body)).decode().strip().split("\n\n")
    events = [json.loads(block.partition("data: ")[2]) for block in blocks]
    assert [block.partition("\n")[0] for block in blocks] == [f"event: {event['type']}" for event in events]
    assert [event["type"] for event in events[-2:]] == ["timestamps", "done"]
    assert events[-2]["word_timestamps"]["words"] == TEXT.split()
    assert sum(len(base64.b64decode(event["data"])) for event in events[:-2]) == int(2.76 * 8000)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, SSML, 415),
        ({"X-Microsoft-OutputFormat": "tape"}, SSML, 400),
        ({}, "<speak>", 400),
        ({}, "<speak>no voice</speak>", 400),
    ],
)
async def test_azure_is_strict_about_ssml(lab, http, headers, body, status):
    usual = {
        **AZURE,
        "Content-Type": "application/ssml+xml",
        "X-Microsoft-OutputFormat": "raw-8khz-8bit-mono-mulaw",
    }
    async with http.post(
        lab.url("azure-speech") + "/cognitiveservices/v1", data=body.encode(), headers={**usual, **headers}
    ) as answer:
        assert answer.status == status


async def test_azure_gives_out_tokens(lab, http):
    async with http.post(lab.url("azure-speech") + "/sts/v1.0/issueToken", headers=AZURE) as answer:
        token = await answer.text()
    headers = {"Authorization": f"Bearer {token}"}
    async with http.get(lab.url("azure-speech") + "/cognitiveservices/voices/list", headers=headers) as answer:
        assert answer.status == 200
