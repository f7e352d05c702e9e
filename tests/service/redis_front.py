"""One address in front of servers that change, as a load balancer or a Service of Kubernetes is; with TLS if wanted."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path


class Front:
    """Passes each new connection on to the server of that moment; those that are there stay with theirs.

    Parameters
    ----------
    target : int
        Port of the server.
    certificate, key : Path or None
        With them the front speaks TLS.
    """

    def __init__(self, target: int, certificate: Path | None = None, key: Path | None = None) -> None:
        self.target = target
        self.accepted = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._tls and certificate:
            self._tls.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            secured = self._tls.wrap_socket(client, server_side=True) if self._tls else client
            with secured, socket.create_connection(("127.0.0.1", self.target)) as server:
                back = threading.Thread(target=_pump, args=(server, secured), daemon=True)
                back.start()
                _pump(secured, server)
                back.join()


class Saying:
    """A server that answers every command with one error, as those do that cannot be had here."""

    def __init__(self, error: str) -> None:
        self._answer = f"-{error}\r\n".encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._say, args=(self._listener.accept()[0],), daemon=True).start()

    def _say(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            while data := client.recv(65536):
                client.sendall(self._answer * len(re.findall(rb"(?:^|\n)\*\d", data)))


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A certificate that is its own authority, for a host of that name, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    about = ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*request, *about, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key
