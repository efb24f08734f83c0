"""Capture what the providers' own SDKs put on the wire, byte for byte, as `<dialect>/<case>.http`.

Run from the root of the repository with an interpreter that has them (``pip install '.[sdks]' aiohttp cryptography``):

    python -m tests.corpus.capture                  # every case
    python -m tests.corpus.capture openai deepgram  # those dialects

The calls themselves are in `tests.corpus.calls`. Each is run against a receiver on loopback that keeps the bytes
of every request and answers with next to nothing; what the SDK makes of that answer does not matter. Only one thing
is changed in a capture: where the receiver's address stands in the head, the provider's own host name is put.

Cases of clients that cannot be run here are written by hand after the providers' documentation; their names end in
``.by_hand``. Credentials are dummies.
"""

import datetime
import ipaddress
import os
import platform
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

HERE = Path(__file__).parent
PATIENCE_SECONDS = 20.0

Answers = dict[str, bytes]


def certificate(directory: Path) -> tuple[Path, Path]:
    """A throw-away self-signed certificate for loopback, and its key: some SDKs insist on TLS."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "receiver.pem", directory / "receiver.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


class Receiver:
    """Takes requests on loopback and keeps their bytes; ``tls`` tells whether it speaks TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: Answers = {}
        self.received: list[bytes] = []
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as incoming:
                request = read_request(incoming, connection.sendall)
                if request:
                    self.received.append(request)
                    connection.sendall(self._answer(request))
        except OSError:
            pass

    def _answer(self, request: bytes) -> bytes:
        if b"\r\nupgrade: websocket" in request.lower():
            return b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        target = request.split(b" ", 2)[1].decode("latin-1")
        for part, answer in self.answers.items():
            if part in target:
                return answer
        return json_answer(b"{}")


def json_answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % len(body) + body


def read_request(incoming: BinaryIO, send: Callable[[bytes], object]) -> bytes:
    """One request as it came, chunked framing included; b"" if the connection ended before it did."""
    lines: Iterable[bytes] = iter(incoming.readline, b"")
    head = []
    for line in lines:
        head.append(line)
        if line == b"\r\n":
            break
    else:
        return b""
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])}
    if fields.get(b"expect", b"").lower() == b"100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    read = incoming.read
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        body = []
        for line in lines:
            size = int(line.split(b";")[0], 16)
            body += [line, read(size + 2)]
            if size == 0:
                break
        return b"".join(head + body)
    return b"".join(head) + read(int(fields.get(b"content-length", b"0")))


def placed(request: bytes, authority: str, host: str) -> bytes:
    """*request* as if it had been sent to *host*."""
    head, empty, body = request.partition(b"\r\n\r\n")
    return head.replace(authority.encode(), host.encode()) + empty + body


def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        certificate_file, key_file = certificate(Path(directory))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate_file, key_file)
        os.environ |= {"SSL_CERT_FILE": str(certificate_file), "REQUESTS_CA_BUNDLE": str(certificate_file)}
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            os.environ.pop(name, None)
        # Some SDKs name the kernel they run on; which one that was is nobody's business.
        platform.release = lambda: "6.8.0"
        from tests.corpus.calls import CALLS

        plain, tls = Receiver(), Receiver(context)
        for call in CALLS:
            if wanted and call.dialect not in wanted:
                continue
            receiver = tls if call.tls else plain
            receiver.answers = {part: json_answer(body) for part, body in call.answers.items()}
            receiver.received = []
            runner = threading.Thread(target=quietly, args=(call.run, receiver.authority), daemon=True)
            runner.start()
            runner.join(PATIENCE_SECONDS)
            missing = call.cases[len(receiver.received) :]
            for case, request in zip(call.cases, receiver.received, strict=False):
                file = HERE / call.dialect / f"{case}.http"
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(placed(request, receiver.authority, call.host))
                print(f"{call.dialect:14} {case:44} {request.splitlines()[0].decode('latin-1')}")
            for case in missing:
                print(f"{call.dialect:14} {case:44} NOT CAPTURED")


def quietly(run: Callable[[str], object], authority: str) -> None:
    try:
        run(authority)
    except Exception as error:
        if os.environ.get("VERBOSE"):
            print(f"  {type(error).__name__}: {str(error)[:300]}")


if __name__ == "__main__":
    main(sys.argv[1:])
