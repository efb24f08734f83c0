"""Forms are read as servers read them, whole or as far as they came, and written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import multipart
from sidecar.multipart import Part

TYPE = "multipart/form-data; boundary=b0und"
FIELD = b'--b0und\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
FILE = (
    b'--b0und\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RI\r\nFF\r\n"
)
CLOSING = b"--b0und--\r\n"

Read = list[tuple[str, str | None, str | None, bytes, bool]]


def read(body: bytes, content_type: str = TYPE) -> tuple[Read, bool]:
    form = multipart.parse(content_type, body)
    parts = [(part.name, part.filename, part.content_type, bytes(part.data), part.complete) for part in form.parts]
    return parts, form.complete


MODEL = ("model", None, None, b"whisper-1", True)
AUDIO = ("file", "a.wav", "audio/wav", b"RI\r\nFF", True)

FORMS = [
    (FIELD + FILE + CLOSING, [MODEL, AUDIO], True),
    (FILE + FIELD + CLOSING, [AUDIO, MODEL], True),
    (b"a preamble\r\n" + FIELD + CLOSING, [MODEL], True),
    (FIELD + CLOSING + b"an epilogue\r\n--b0und\r\n\r\n", [MODEL], True),
    (FIELD + CLOSING[:-2], [MODEL], True),
    ((FIELD + FILE + CLOSING).replace(b"\r\n", b"\n"), [MODEL, (*AUDIO[:3], b"RI\nFF", True)], True),
    (FIELD.replace(b"--b0und\r\n", b"--b0und  \t\r\n") + CLOSING, [MODEL], True),
    (FIELD + FILE, [MODEL, (*AUDIO[:3], b"RI\r\nFF\r\n", False)], False),
    (FIELD + FILE + b"--b0und", [MODEL, AUDIO], False),
    (FIELD + FILE[:20], [MODEL], False),
    (CLOSING, [], True),
    (b"--b0und\r\n\r\nno head\r\n--b0und--", [("", None, None, b"no head", True)], True),
    (
        b'--b0und\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n--b0und--',
        [("empty", None, None, b"", True)],
        True,
    ),
    (
        b'--b0und\r\nContent-Disposition: form-data; name="empty"\r\n\r\n--b0und--',
        [("empty", None, None, b"", True)],
        True,
    ),
    (b"--b0und\r\n--b0und--", [], True),
    (
        FIELD.replace(b"whisper-1", b"--b0unded\r\n--b0undx") + CLOSING,
        [(*MODEL[:3], b"--b0unded\r\n--b0undx", True)],
        True,
    ),
    (b"nothing of the kind", [], False),
    (b"", [], False),
]


@pytest.mark.parametrize(("body", "parts", "complete"), FORMS)
def test_a_form_is_read(body: bytes, parts: Read, complete: bool) -> None:
    assert read(body) == (parts, complete)


@pytest.mark.parametrize(
    ("disposition", "name", "filename"),
    [
        ('form-data; name="a"; filename="voice.ogg"', "a", "voice.ogg"),
        ("form-data; name=a; filename=voice.ogg", "a", "voice.ogg"),
        ('form-data; filename="voice.ogg"; name="a"', "a", "voice.ogg"),
        ('FORM-DATA; NAME="a"; Filename="v"', "a", "v"),
        ('form-data; name="a;b"; filename="c; name=d"', "a;b", "c; name=d"),
        (r'form-data; name="a"; filename="say \"hi\".wav"', "a", 'say "hi".wav'),
        ('form-data; name="a"; filename="say %22hi%22.wav"', "a", 'say "hi".wav'),
        ('form-data; name="a"; filename="голос.ogg"', "a", "голос.ogg"),
        ('form-data; name="a"; filename="x.ogg"; filename*=UTF-8\'\'%C3%A9.ogg', "a", "é.ogg"),
        ('form-data; name="a"; filename=""', "a", ""),
        ('form-data; name="languages[]"', "languages[]", None),
        ("form-data", "", None),
        ("", "", None),
    ],
)
def test_names_are_read_in_all_the_ways_they_are_written(disposition: str, name: str, filename: str | None) -> None:
    body = b"--b0und\r\ncontent-disposition:%b\r\n\r\nx\r\n--b0und--\r\n" % disposition.encode()
    assert read(body) == ([(name, filename, None, b"x", True)], True)


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="b0und"',
        "multipart/form-data;boundary=b0und",
        "multipart/form-data; charset=utf-8; BOUNDARY=b0und; x=y",
        "multipart/form-data",
        "",
    ],
)
def test_the_boundary_is_found(content_type: str) -> None:
    assert read(FIELD + CLOSING, content_type) == ([MODEL], True)


def test_a_form_cut_at_every_byte_gives_what_has_come_whole() -> None:
    whole = FIELD + FILE + CLOSING
    before = -1
    for cut in range(len(whole) + 1):
        parts, complete = read(whole[:cut])
        assert [part for part in parts if part[4]] == [MODEL, AUDIO][: sum(part[4] for part in parts)]
        assert all(part[3] == b"" or AUDIO[3].startswith(part[3][:6]) or part[0] == "model" for part in parts)
        known = sum(part[4] for part in parts) * 2 + len(parts) + complete
        assert known >= before
        before = known
    assert complete


def test_the_head_of_a_part_is_told_before_its_content_has_come() -> None:
    body = FIELD + FILE[: FILE.index(b"RI")]
    assert read(body) == ([MODEL, (*AUDIO[:3], b"", False)], False)


def test_content_is_a_view_and_no_copy() -> None:
    body = FIELD + FILE + CLOSING
    data = multipart.parse(TYPE, body).parts[1].data
    assert isinstance(data, memoryview)
    assert data.obj is body


def test_text_that_is_not_utf8_is_read_with_marks() -> None:
    assert Part.of("a", b"caf\xe9").text == "caf\ufffd"


NAMES = st.text(max_size=20).filter(
    lambda text: "\\" not in text and not set("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029%") & set(text)
)
PARTS = st.builds(
    Part.of,
    NAMES,
    st.binary(max_size=40).filter(lambda data: b"b0und" not in data),
    st.none() | NAMES,
    st.none() | st.just("audio/wav"),
)


@given(st.lists(PARTS, max_size=4))
def test_what_is_written_is_read_again(parts: list[Part]) -> None:
    form = multipart.parse(TYPE, multipart.write(parts, "b0und"))
    assert form.complete
    assert list(form.parts) == parts


def test_what_was_read_is_written_byte_for_byte() -> None:
    body = FIELD + FILE + CLOSING
    assert multipart.write(multipart.parse(TYPE, body).parts, "b0und") == body


def test_one_part_can_be_replaced() -> None:
    parts = multipart.parse(TYPE, FIELD + FILE + CLOSING).parts
    written = multipart.write([parts[0], Part.of("file", b"fLaC", "a.flac", "audio/flac")], "other")
    assert read(written, "multipart/form-data; boundary=other") == (
        [MODEL, ("file", "a.flac", "audio/flac", b"fLaC", True)],
        True,
    )


@given(st.text(max_size=40), st.binary(max_size=120))
def test_nothing_makes_reading_raise(content_type: str, body: bytes) -> None:
    multipart.parse(content_type, body)


@given(
    st.lists(
        st.sampled_from([b"--b0und", b"--", b"\r\n", b"\n", b"\r", b"name=x", b":", b" ", b"Content-"]), max_size=20
    )
)
def test_no_order_of_the_pieces_makes_reading_raise(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    form = multipart.parse(TYPE, body)
    assert sum(len(part.data) for part in form.parts) <= len(body)
