"""A small reverse proxy, as operators put one before the service: below a path that it takes away, or leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

_OWN = {"connection", "host", "keep-alive", "transfer-encoding", "x-forwarded-prefix"}


@contextmanager
def reverse_proxy(backend: str, prefix: str, *, strips: bool, says: bool) -> Iterator[str]:
    """The URL of a proxy that hands on what is below `prefix`, and answers 404 itself to all else.

    Parameters
    ----------
    strips : bool
        Whether the prefix is taken away.
    says : bool
        Whether it is told in X-Forwarded-Prefix.
    """
    with httpx.Client(base_url=backend, timeout=30) as client:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if not self.path.startswith(f"{prefix}/"):
                    self.send_error(404, "not of the service")
                    return
                target = self.path.removeprefix(prefix) if strips else self.path
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
                told = {"X-Forwarded-Prefix": prefix} if says else {}
                with client.stream(self.command, target, headers=headers | told) as answer:
                    body = b"".join(answer.iter_raw())
                self.send_response_only(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name not in _OWN and name != "content-length":
                        self.send_header(name, value)
                length = answer.headers.get("content-length") if self.command == "HEAD" else str(len(body))
                if length and answer.status_code != 304:
                    self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
