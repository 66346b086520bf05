"""A TCP proxy between product and server that delays, cuts, drips, silences and rewrites, and counts what passes."""

from __future__ import annotations

import contextlib
import itertools
import queue
import re
import socket
import struct
import threading
import time
from collections.abc import Callable

_CHUNK_BYTES = 65_536
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_TAGGED_OK = re.compile(rb"^[A-Za-z]+\d+ OK ", re.MULTILINE)


class Proxy:
    """Listens on `port` of `host`, or on a listener, forwards to target_port on loopback. Change attributes at any time.

    delay_seconds: added to each direction (half a round trip).
    cut_after: bytes to the client after which its connection is reset (half_close: told the end), once; None: never.
    black_hole: accepts and says nothing. silent_from: turns it on when the client sends these bytes.
    drip_seconds: pause after each single byte to the client. rewrite: changes chunks on their way to the client.
    inject: raw lines put before the next tagged OK, once. to_client, to_server: bytes so far. turns: how often a
    client spoke after it was spoken to: round trips. most_open: connections at the same time, at most.
    """

    def __init__(
        self,
        target_port: int,
        *,
        delay_seconds: float = 0.0,
        host: str = "127.0.0.1",
        listener: socket.socket | None = None,
    ) -> None:
        self.target_port = target_port
        self.delay_seconds = delay_seconds
        self.cut_after: int | None = None
        self.black_hole = False
        self.drip_seconds = 0.0
        self.rewrite: Callable[[bytes], bytes] | None = None
        self.half_close = False
        self.silent_from = b""
        self.inject = b""
        self.to_client = self.to_server = self.connections = self.cuts = self.lies = 0
        self.turns = self.most_open = self._open = 0
        self._server_spoke = False
        self.sent = bytearray()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = listener or socket.create_server((host, 0), backlog=100)
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

    def lie_about_literal(self, *, number: int, change: int) -> None:
        """Add `change` to the length of the number-th literal from now on, once; `lies` tells when."""
        seen = itertools.count(1)
        self.lies = 0

        def lie(found: re.Match[bytes]) -> bytes:
            if next(seen) != number:
                return found.group()
            self.lies += 1
            return b"{%d}\r\n" % max(0, int(found.group(1)) + change)

        self.rewrite = lambda raw: _LITERAL.sub(lie, raw)

    def cut_in_literal(self, *, number: int) -> None:
        """Cut in the middle of the number-th literal from now on, once."""
        seen = itertools.count(1)

        def look(raw: bytes) -> bytes:
            for found in _LITERAL.finditer(raw):
                if next(seen) == number:
                    self.cut_after = self.to_client + found.end() + int(found.group(1)) // 2
            return raw

        self.rewrite = look

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
                self._open += 1
                self.most_open = max(self.most_open, self._open)
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
            if to_client and self.inject and (tagged := _TAGGED_OK.search(raw)):
                raw, self.inject = raw[: tagged.start()] + self.inject + raw[tagged.start() :], b""
            if not to_client:
                self.black_hole |= bool(self.silent_from) and self.silent_from in raw
                self.sent += raw
                self.to_server += len(raw)
                self.turns += bool(raw) and self._server_spoke
                self._server_spoke = False
            if not raw and not to_client:
                with self._lock:
                    self._open -= 1
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
            self._server_spoke = True

    def _cut(self, raw: bytes, sink: socket.socket, source: socket.socket) -> bool:
        with self._lock:
            if self.cut_after is None or self.to_client + len(raw) < self.cut_after:
                return False
            part, self.cut_after = raw[: max(0, self.cut_after - self.to_client)], None
            self.cuts += 1
        self._deliver(part, sink, True)
        if self.half_close:
            sink.shutdown(socket.SHUT_WR)
            return True
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
