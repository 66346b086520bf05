"""A TCP proxy between product and server that delays, cuts, drips, silences and rewrites, and counts what passes."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import struct
import threading
import time
from collections.abc import Callable

_CHUNK_BYTES = 65_536


class Proxy:
    """Listens on `port`, forwards to target_port on loopback. Change the attributes at any time.

    delay_seconds: added to each direction (half a round trip).
    cut_after: bytes to the client after which its connection is reset, once; None: never.
    black_hole: accepts and says nothing. drip_seconds: pause after each single byte to the client.
    rewrite: changes chunks on their way to the client. to_client, to_server: bytes so far.
    """

    def __init__(self, target_port: int, *, delay_seconds: float = 0.0) -> None:
        self.target_port = target_port
        self.delay_seconds = delay_seconds
        self.cut_after: int | None = None
        self.black_hole = False
        self.drip_seconds = 0.0
        self.rewrite: Callable[[bytes], bytes] | None = None
        self.to_client = self.to_server = self.connections = self.cuts = 0
        self.sent = bytearray()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def commands(self) -> list[bytes]:
        """What the client sent, line by line."""
        return bytes(self.sent).split(b"\r\n")

    def hide(self, *capabilities: str) -> None:
        """Take capabilities out of what the server offers; the length of the line changes, as it does in life."""
        pattern = re.compile(rb" (?:" + b"|".join(re.escape(name.encode()) for name in capabilities) + rb")(?=[ \]\r])")
        self.rewrite = lambda raw: pattern.sub(b"", raw)

    def stop(self) -> None:
        """Close everything."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in (self._listener, *sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                each.close()

    def cut_now(self) -> None:
        """Reset every open connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            _reset(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._sockets.append(client)
            if self.black_hole:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets.append(server)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, to_client: bool) -> None:
        chunks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=(chunks, sink, source, to_client), daemon=True).start()
        while True:
            try:
                raw = source.recv(_CHUNK_BYTES)
            except OSError:
                raw = b""
            if to_client and raw and self.rewrite is not None:
                raw = self.rewrite(raw)
                if not raw:
                    continue  # rewritten to nothing is not the end
            if not to_client:
                self.sent += raw
                self.to_server += len(raw)
            chunks.put((time.monotonic() + self.delay_seconds, raw))
            if not raw:
                return

    def _write(
        self,
        chunks: queue.SimpleQueue[tuple[float, bytes]],
        sink: socket.socket,
        source: socket.socket,
        to_client: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, raw = chunks.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not raw:
                    sink.shutdown(socket.SHUT_WR)
                    return
                while to_client and self.black_hole:
                    time.sleep(0.02)
                if to_client and self._cut(raw, sink, source):
                    return
                self._deliver(raw, sink, to_client)

    def _deliver(self, raw: bytes, sink: socket.socket, to_client: bool) -> None:
        if to_client and self.drip_seconds:
            for offset in range(len(raw)):
                sink.sendall(raw[offset : offset + 1])
                self.to_client += 1
                time.sleep(self.drip_seconds)
            return
        sink.sendall(raw)
        if to_client:
            self.to_client += len(raw)

    def _cut(self, raw: bytes, sink: socket.socket, source: socket.socket) -> bool:
        with self._lock:
            if self.cut_after is None or self.to_client + len(raw) < self.cut_after:
                return False
            part, self.cut_after = raw[: max(0, self.cut_after - self.to_client)], None
            self.cuts += 1
        self._deliver(part, sink, True)
        for each in (sink, source):
            _reset(each)
        return True


def _reset(sock: socket.socket) -> None:
    """Close without goodbye; shutdown first wakes a thread that reads from it."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()
