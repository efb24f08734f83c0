"""Recorded prompts, forms, and that the lab costs nothing until it is used."""

import gzip
import subprocess
import sys

import pytest

from sidecar.lab.engines.echo import CANNED, EchoRecognizer
from sidecar.lab.forms import multipart, urlencoded
from sidecar.lab.prompts import prompts


def test_prompts_are_paired_with_what_is_said_in_them(tmp_path):
    sounds, transcripts = tmp_path / "sounds", tmp_path / "core.txt.gz"
    (sounds / "letters").mkdir(parents=True)
    for name in ("hello", "beep", "letters/at"):
        (sounds / f"{name}.wav").touch()
    lines = "; a comment\n\nhello: Hello, caller: welcome.\nbeep: [a beep]\nletters/at: at [@]\ngone: Not there.\n"
    transcripts.write_bytes(gzip.compress(lines.encode()))
    found = prompts(sounds, transcripts)
    assert found == [(sounds / "hello.wav", "Hello, caller: welcome."), (sounds / "letters/at.wav", "at")]


def test_without_the_package_there_are_no_prompts(tmp_path):
    assert prompts(tmp_path / "nowhere", tmp_path / "none.txt.gz") is None


async def test_real_speech_is_never_taken_for_the_echo_engines(skip_or_fail):
    found = prompts()
    if found is None:
        skip_or_fail("Debian's asterisk-core-sounds-en-wav is not installed")
        return
    from sidecar.lab.audio.decode import decoded

    recognizer = EchoRecognizer()
    for path, _ in found[::40]:
        assert (await recognizer.transcribe(decoded(path.read_bytes()))).text in CANNED


def test_a_multipart_form_is_read():
    body = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="tags[]"\r\n\r\none\r\n'
        b'--b\r\nContent-Disposition: form-data; name="tags[]"\r\n\r\ntwo\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        b"\r\n--not the end\x00\r\n\r\n--b--\r\n"
    )
    form = multipart("multipart/form-data; boundary=b", body)
    assert form.text("model") == "whisper-1"
    assert form.texts("tags") == ["one", "two"]
    part = form.part("file")
    assert part is not None
    assert (part.filename, part.content_type, part.data) == ("a.wav", "audio/wav", b"\r\n--not the end\x00\r\n")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b""),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nx"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
    ],
)
def test_what_is_no_multipart_form_is_refused(kind, body):
    with pytest.raises(ValueError, match=r"multipart|boundary"):
        multipart(kind, body)


def test_a_url_encoded_form_is_read_even_if_it_is_not_encoded():
    form = urlencoded("text=Привет & как+дела&lang=ru-RU&empty=&pct=%D0%B4".encode())
    assert form.text("text") == "Привет & как дела"
    assert (form.text("lang"), form.text("empty"), form.text("pct")) == ("ru-RU", "", "д")


def test_importing_the_lab_loads_no_engine():
    code = (
        "import sys, sidecar.lab\n"
        "heavy = {'numpy', 'soundfile', 'av', 'faster_whisper', 'ctranslate2', 'onnxruntime', 'piper'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_piper_is_never_imported():
    """It is under the GPL, and runs in a process of its own."""
    code = "import sys\nfrom sidecar.lab.engines import piper\nprint('piper' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
