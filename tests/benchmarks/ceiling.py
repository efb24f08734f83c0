"""The least that a proxy can do with bytes that pass through: the kernel moves them from socket to socket (splice(2)).

    python -m tests.benchmarks.ceiling ADDRESS PORT TO_ADDRESS TO_PORT

One connection at a time, and bytes one way at a time, as `tests.benchmarks.bulk` wants it.
"""

import contextlib
import fcntl
import os
import select
import socket
import sys

_PIPE_BYTES = 1 << 20


def joined(near: socket.socket, far: socket.socket) -> None:
    """Move what comes from one to the other, up to both ends."""
    out, into = os.pipe()
    try:
        with contextlib.suppress(OSError):  # beyond what this user may have
            fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        sinks = {near: far, far: near}
        while sinks:
            for source in select.select(list(sinks), (), ())[0]:
                held = os.splice(source.fileno(), into, _PIPE_BYTES)
                if not held:
                    sinks.pop(source).shutdown(socket.SHUT_WR)
                while held:
                    held -= os.splice(out, sinks[source].fileno(), held)
    finally:
        os.close(out)
        os.close(into)


def serve(at: tuple[str, int], to: tuple[str, int]) -> None:
    """Join each connection to *at* with one to *to*, until the process is ended."""
    with socket.create_server(at) as listening:
        while True:
            near, _ = listening.accept()
            with near, socket.create_connection(to) as far, contextlib.suppress(OSError):
                joined(near, far)


if __name__ == "__main__":
    serve((sys.argv[1], int(sys.argv[2])), (sys.argv[3], int(sys.argv[4])))
