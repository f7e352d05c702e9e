"""GET and HEAD /metrics of the feed, which has no web framework."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server


def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> int:
    """Serve in a thread of its own; returns the port. Raises OSError if it is in use."""
    server, _ = start_http_server(port, addr=host, registry=registry)
    server.set_app(with_head(make_wsgi_app(registry)))
    return int(server.server_port)


def with_head(app: WSGIApplication) -> WSGIApplication:
    """The same application with HEAD (RFC 9110, section 9.3.2), which Prometheus' application refuses."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "HEAD":
            return app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            started.append((status, headers))

        started: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(app({**environ, "REQUEST_METHOD": "GET"}, start))  # type: ignore[arg-type]
        status, headers = started[0]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return []

    return answer
