"""What is sent and what is answered, byte for byte: heads as the OpenAI SDK for Python writes them."""

from dataclasses import dataclass

_SDK_FIELDS = """\
Accept-Encoding: gzip, deflate
Connection: keep-alive
authorization: Bearer sk-benchmark-0000000000000000000000000000000000000000
accept: application/json
content-type: {media_type}
user-agent: OpenAI/Python 3.54.0
x-stainless-lang: python
x-stainless-package-version: 3.54.0
x-stainless-os: Linux
x-stainless-arch: x64
x-stainless-runtime: CPython
x-stainless-runtime-version: 3.11.7
x-stainless-async: async:asyncio
x-stainless-retry-count: 0
x-stainless-read-timeout: 600
"""

#: The 17 fields of a small answer; nginx and the emulated provider add or count the first three by themselves.
ANSWER_FIELDS = (
    ("openai-organization", "org-benchmark"),
    ("openai-processing-ms", "312"),
    ("openai-project", "proj_0123456789abcdef01234567"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999842"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
)

#: A small chat answer of 310 bytes.
ANSWER = (
    b'{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1790000000,"model":"gpt-4.1-mini",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Yes, from ten to four.","refusal":null},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":9,"total_tokens":129}}'
).ljust(310)

SPEECH_BYTES, TRANSCRIPTION_BYTES = 200_000, 300_000
STREAM_CHUNKS, STREAM_GAP_MS = 50, 10

#: Where a body's number stands, and what else a question asks for.
_NUMBER, _MORE = b"<number>", b"<more>"
_QUESTION = (
    b'{"model":"gpt-4.1-mini","messages":[{"role":"system","content":"You are the voice of a small shop. Answer in '
    b"one short sentence, friendly and without lists. The shop is open from Monday to Saturday, from ten to four; "
    b'on Sundays it is closed. Never promise what is not written here."},{"role":"user","content":"Are you open on '
    b'Sunday?"},{"role":"assistant","content":"No, but from Monday on, from ten to four."},{"role":"user","content":'
    b'"And may I bring my dog? (question ' + _NUMBER + b')"}],"max_completion_tokens":64,"temperature":0' + _MORE + b"}"
)


@dataclass(frozen=True)
class Template:
    """A request in ``pieces``, between which its number stands in ``formats``: printf's, as Python and Lua know them.

    The formats have a fixed width, so that all requests made from a template are equally long.
    """

    pieces: tuple[bytes, ...]
    formats: tuple[str, ...] = ()

    def render(self, number: int) -> bytes:
        rendered = [self.pieces[0]]
        for form, piece in zip(self.formats, self.pieces[1:], strict=True):
            rendered += ((form % number).encode(), piece)
        return b"".join(rendered)

    def joined(self, body: "Template") -> "Template":
        """This one as the head before *body*."""
        middle = self.pieces[-1] + body.pieces[0]
        return Template((*self.pieces[:-1], middle, *body.pieces[1:]), self.formats + body.formats)


def chat(prefix: str, *, new_bodies: int | None = None, new_traces: bool = False) -> Template:
    """A small chat call below *prefix*.

    Args:
        new_bodies: makes each call's body differ from all others', within and between templates with different ones.
        new_traces: gives each call a ``traceparent`` of its own.
    """
    body = _numbered(_QUESTION.replace(_MORE, b""), new_bodies)
    head = _head(f"POST {prefix}/v1/chat/completions", len(body.render(0)), new_traces=new_traces)
    return head.joined(body)


def stream(
    prefix: str, *, new_bodies: int | None = None, chunks: int = STREAM_CHUNKS, gap_ms: int = STREAM_GAP_MS
) -> Template:
    """A chat call that is answered by so many events, *gap_ms* apart."""
    body = _numbered(_QUESTION.replace(_MORE, b',"stream":true'), new_bodies)
    target = f"{prefix}/v1/chat/completions?chunks={chunks}&gap_ms={gap_ms}"
    return _head(f"POST {target}", len(body.render(0))).joined(body)


def speech(prefix: str, size: int = SPEECH_BYTES, *, new_bodies: int | None = None) -> Template:
    """A call that is answered by *size* bytes of audio, in chunks."""
    body = _numbered(
        b'{"model":"gpt-4o-mini-tts","input":"We are open from ten to four (' + _NUMBER + b').","voice":"alloy",'
        b'"response_format":"pcm"}',
        new_bodies,
    )
    return _head(f"POST {prefix}/v1/audio/speech?bytes={size}", len(body.render(0))).joined(body)


def transcription(prefix: str, size: int = TRANSCRIPTION_BYTES, *, new_bodies: int | None = None) -> Template:
    """A form with *size* bytes of audio, sent with its length."""
    before, after = form()
    body = _numbered(before + audio(size) + after, new_bodies)
    return _form_head(f"{prefix}/v1/audio/transcriptions", len(body.render(0))).joined(body)


def transcription_head(prefix: str, size: int, *, query: str = "") -> bytes:
    """How `transcription` begins, up to the audio, for those who make that as they go."""
    before, after = form()
    before = _numbered(before, None).render(0)
    head = _form_head(f"{prefix}/v1/audio/transcriptions{query}", len(before) + size + len(after))
    return head.render(0) + before


def _form_head(target: str, length: int) -> Template:
    return _head(f"POST {target}", length, "multipart/form-data; boundary=benchmark-boundary")


def _numbered(body: bytes, new_bodies: int | None) -> Template:
    """*body* with a number in its place for one: always the same, or a new one with each call."""
    if new_bodies is None:
        return Template((body.replace(_NUMBER, b"%08d-%010d" % (0, 0)),))
    before, _, after = body.partition(_NUMBER)
    return Template((before + b"%08d-" % new_bodies, after), ("%010d",))


def form() -> tuple[bytes, bytes]:
    """What stands before and after the audio in a transcription's form."""
    before = (
        b'--benchmark-boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--benchmark-boundary\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + _NUMBER + b"\r\n"
        b'--benchmark-boundary\r\nContent-Disposition: form-data; name="file"; filename="question.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n"
    )
    return before, b"\r\n--benchmark-boundary--\r\n"


def audio(size: int) -> bytes:
    """*size* bytes that no coding makes smaller by much, and that look like no line of a protocol."""
    pattern = bytes((value * value + 7 * value) % 251 + 4 for value in range(4093))
    return (pattern * (size // len(pattern) + 1))[:size]


def socket_opening(prefix: str) -> bytes:
    """A request to become a WebSocket."""
    return (
        f"GET {prefix}/v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2htYXJrLWJlbmNoIQ==\r\n\r\n"
    ).encode()


def _head(request: str, length: int, media_type: str = "application/json", *, new_traces: bool = False) -> Template:
    fields = _SDK_FIELDS.format(media_type=media_type)
    before = f"{request} HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields.replace("\n", "\r\n")
    after = f"Content-Length: {length}\r\n\r\n".encode()
    if not new_traces:
        return Template((before.encode() + after,))
    opening = f"{before}traceparent: 00-7ace0000{'0' * 8}".encode()
    return Template((opening, b"-", b"-01\r\n" + after), ("%016x", "%016x"))
