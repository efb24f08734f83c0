"""Real recordings of what a voice agent says, with their transcripts: Debian's packages of Asterisk's core sounds.

Install ``asterisk-core-sounds-en-wav`` (8 kHz WAV; 571 prompts, CC-BY-SA 3.0). Nothing of it is kept in this project.
"""

import gzip
import re
from pathlib import Path

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TRANSCRIPTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")

_REMARK = re.compile(r"\s*(?:\[[^]]*\]|\([^)]*\)|<[^>]*>)")


def prompts(sounds: Path = SOUNDS, transcripts: Path = TRANSCRIPTS) -> list[tuple[Path, str]] | None:
    """Pairs of a WAV file and what is said in it, sorted by name; None if the package is not installed.

    Remarks in brackets are taken out of the texts; sounds of which nothing but a remark is told (beeps, music) are
    left out.
    """
    if not sounds.is_dir() or not transcripts.is_file():
        return None
    lines = [(sounds / f"{name}.wav", _REMARK.sub("", text).strip()) for name, text in sorted(_lines(transcripts))]
    return [(path, text) for path, text in lines if text and path.is_file()] or None


def _lines(transcripts: Path) -> list[tuple[str, str]]:
    data = transcripts.read_bytes()
    text = (gzip.decompress(data) if transcripts.suffix == ".gz" else data).decode("utf-8", "replace")
    pairs = (line.partition(":") for line in text.splitlines() if line and not line.startswith(";"))
    return [(name.strip(), words.strip()) for name, colon, words in pairs if colon]
