"""What the page's server refuses before it looks at it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


class Guard:
    """ASGI middleware for a page that nobody logs in to.

    Refused are requests of other sites' pages (by their ``Origin``); those under a name that is not
    this server's, with which a site can make a browser take it for its own; and those that would
    have Gradio fetch what it serves from another machine.
    """

    def __init__(self, app: Any, hosts: Sequence[str] | None) -> None:
        """Of an app; None for hosts is any."""
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serves a request or answers 403."""
        if scope["type"] == "http" and self._refuses(scope):  # Gradio has no other requests
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"refused"})
        else:
            await self.app(scope, receive, send)

    def _refuses(self, scope: Any) -> bool:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        return (
            (self.hosts is not None and urlsplit(f"//{host}").hostname not in self.hosts)
            or (origin is not None and urlsplit(origin).netloc != host)
            or "/file=http" in scope["path"]
        )
