"""A client that begins a request and dawdles does not keep a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from gunicorn.http import parser

from mailwall.config import gunicorn_limits
from mailwall.config.gunicorn_limits import PatientUnreader


@pytest.fixture
def pair() -> Iterator[tuple[PatientUnreader, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield PatientUnreader(ours), theirs
    ours.close()
    theirs.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(gunicorn_limits, "PATIENCE_SECONDS", 0.2)


def drip(sock: socket.socket, raw: bytes, *, times: int, pause: float) -> None:
    for _ in range(times):
        sock.sendall(raw)
        time.sleep(pause)


def test_gunicorn_reads_by_it():
    assert parser.SocketUnreader is PatientUnreader


def test_silence_in_the_middle_ends_the_connection(pair):
    unreader, client = pair
    client.sendall(b"GET / HTTP/1.1\r\nX-Begun: ")
    assert unreader.chunk().startswith(b"GET")
    with pytest.raises(ConnectionResetError):
        unreader.chunk()
    assert client.recv(9) == b""


def test_single_bytes_now_and_then_are_silence_too(pair):
    unreader, client = pair
    threading.Thread(target=drip, args=(client, b"x"), kwargs={"times": 12, "pause": 0.05}).start()
    begin = time.monotonic()
    with pytest.raises(ConnectionResetError):
        for _ in range(12):
            unreader.chunk()
    assert time.monotonic() - begin < 0.5


def test_a_slow_but_steady_upload_arrives(pair):
    unreader, client = pair
    threading.Thread(target=drip, args=(client, b"x" * 2048), kwargs={"times": 12, "pause": 0.05}).start()
    received = 0
    while received < 12 * 2048:
        received += len(unreader.chunk())
    assert unreader.waited_seconds > 0.2


def test_a_deadline_of_gunicorns_own_stays_its_own(pair):
    unreader, client = pair
    unreader.sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        unreader.chunk()
    assert unreader.sock.gettimeout() == 0.05
    client.close()
    assert unreader.chunk() == b""
