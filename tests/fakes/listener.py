"""A server on a loopback port, a thread for each client: what the fakes that speak IMAP have in common."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Listener:
    """Listens from construction on; as a context manager it hangs up everywhere at the end. Has `serve` overridden."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                each.close()

    def serve(self, client: socket.socket) -> None:
        """Talk with one client until the connection ends."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()
