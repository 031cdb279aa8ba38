"""A server of one file on this machine, with the faults that servers have."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest.mock import patch


@dataclass
class Server:
    """What a server is to do, and what it did.

    Attributes:
        content: the file it serves, under every path.
        ranges: whether it knows how to send a part of it.
        cut_after: it hangs up after so many bytes of an answer.
        refuses: it answers with this code.
        url: its address.
        asked: the ranges it was asked for, one a request.
        sent: bytes of the file it sent, one number a request.
    """

    content: bytes
    ranges: bool = True
    cut_after: int | None = None
    refuses: HTTPStatus | None = None
    url: str = ""
    asked: list[str | None] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    """Serves the content from a thread, as the server's attributes say at the time."""
    server = Server(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            server.asked.append(asked)
            server.sent.append(0)
            match = re.fullmatch(r"bytes=(\d+)-", asked or "") if server.ranges else None
            start = int(match[1]) if match else 0
            if server.refuses is not None:
                self.send_error(server.refuses)
                return
            if match and start >= len(server.content):
                self.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                return
            rest = server.content[start:]
            self.send_response(HTTPStatus.PARTIAL_CONTENT if match else HTTPStatus.OK)
            self.send_header("Content-Length", str(len(rest)))
            if match:
                whole = len(server.content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.end_headers()
            rest = rest[: server.cut_after]
            self.wfile.write(rest)
            server.sent[-1] = len(rest)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
            """Nothing: the output is the program's."""

    # A proxy of the machine's is not for its own addresses.
    with HTTPServer(("127.0.0.1", 0), Handler) as http, patch.dict(os.environ, no_proxy="*"):
        server.url = f"http://127.0.0.1:{http.server_port}/file.bin"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def unreachable() -> Iterator[str]:
    """An address on this machine where nobody listens."""
    with socket.socket() as held, patch.dict(os.environ, no_proxy="*"):
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/file.bin"
