"""Dialling: exactly the checked address, deadlines, and certificates that are refused with their reason."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from mailwall.net import dial, errors, guard
from mailwall.net.guard import CheckedAddress
from mailwall.net.types import NetworkPolicy, ServerSettings
from tests.rig.certificates import Authority, Certificate
from tests.rig.processes import free_port


class TlsServer:
    """Shakes hands with everybody, says nothing."""

    def __init__(self, certificate: Certificate, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._context.set_ciphers("ALL:@SECLEVEL=0")
        self._context.minimum_version = ssl.TLSVersion.TLSv1
        self._context.maximum_version = newest
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        kept = []
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(5)
            with contextlib.suppress(OSError):
                kept.append(self._context.wrap_socket(client, server_side=True))

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator:
    """serve(certificate) starts a TLS server and gives its port."""
    servers = []

    def start(certificate: Certificate, **options: ssl.TLSVersion) -> int:
        servers.append(TlsServer(certificate, **options))
        return servers[-1].port

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def settings_for(port: int, ca_file: str = "", *, host: str = "127.0.0.1") -> ServerSettings:
    policy = NetworkPolicy(hosts_allow=("127.0.0.0/8", "::1", "localhost"), ca_file=ca_file)
    return ServerSettings(host=host, port=port, policy=policy, connect_timeout_seconds=1, read_timeout_seconds=1)


def secured(settings: ServerSettings) -> ssl.SSLSocket:
    return dial.wrap_tls(dial.dial(settings), settings)


def test_authorities_are_read_once_and_again_when_their_file_changes(serve, authority: Authority, tmp_path) -> None:
    port, ca_file = serve(authority.issue("127.0.0.1")), tmp_path / "ca.pem"
    ca_file.write_bytes(authority.ca_file.read_bytes())
    first, second = (secured(settings_for(port, str(ca_file))) for _ in range(2))
    assert first.context is second.context
    other = tmp_path / "other"
    other.mkdir()
    ca_file.write_bytes(Authority(other).ca_file.read_bytes())
    with pytest.raises(errors.TlsUnknownAuthority):
        secured(settings_for(port, str(ca_file)))


def test_trusted_certificate_is_accepted(serve, authority: Authority) -> None:
    port = serve(authority.issue("127.0.0.1"))
    with secured(settings_for(port, str(authority.ca_file))) as sock:
        assert sock.version() == "TLSv1.3"


def test_certificate_of_another_host_is_named(serve, authority: Authority) -> None:
    port = serve(authority.issue("mail.host.example"))
    with pytest.raises(errors.TlsName) as raised:
        secured(settings_for(port, str(authority.ca_file)))
    assert raised.value.message == "The certificate belongs to mail.host.example, not to 127.0.0.1."


def test_certificate_is_checked_against_the_name_that_was_asked_for(serve, authority: Authority) -> None:
    port = serve(authority.issue("127.0.0.1"))
    with pytest.raises(errors.TlsName):
        secured(settings_for(port, str(authority.ca_file), host="localhost"))


@pytest.mark.parametrize(("days", "words"), [((-30, -3), "has expired"), ((3, 30), "is not valid yet")])
def test_certificate_out_of_its_time_is_refused(serve, authority: Authority, days, words: str) -> None:
    port = serve(authority.issue("127.0.0.1", days=days))
    with pytest.raises(errors.TlsExpired) as raised:
        secured(settings_for(port, str(authority.ca_file)))
    assert words in raised.value.message


def test_certificate_of_a_stranger_is_refused(serve, authority: Authority) -> None:
    port = serve(authority.issue("127.0.0.1"))
    with pytest.raises(errors.TlsUnknownAuthority) as raised:
        secured(settings_for(port))
    assert raised.value.code_for("imap") == "imap_tls_failed"


def test_outdated_encryption_is_refused(serve, authority: Authority) -> None:
    port = serve(authority.issue("127.0.0.1"), newest=ssl.TLSVersion.TLSv1_1)
    with pytest.raises(errors.TlsFailed):
        secured(settings_for(port, str(authority.ca_file)))


def test_plain_port_is_told_from_a_broken_one(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"* OK ready\r\n" * 9), daemon=True).start()
        with pytest.raises(errors.TlsPlainPort) as raised:
            secured(settings_for(listener.getsockname()[1], str(authority.ca_file)))
    assert "STARTTLS" in raised.value.message


def test_silent_handshake_ends_at_its_deadline(silent_port: int) -> None:
    begin = time.monotonic()
    with pytest.raises(errors.ConnectTimeout):
        secured(settings_for(silent_port))
    assert time.monotonic() - begin < 3


def test_closed_port_refuses() -> None:
    with pytest.raises(errors.ConnectionRefused) as raised:
        dial.dial(settings_for(free_port()))
    assert raised.value.code_for("smtp") == "smtp_unreachable"


def test_second_address_is_tried_when_the_first_refuses(silent_port: int) -> None:
    addresses = [CheckedAddress(family=socket.AF_INET, ip=ip, port=silent_port) for ip in ("127.0.0.9", "127.0.0.1")]
    with dial.connect(addresses, settings_for(silent_port)) as sock:
        assert sock.getpeername() == ("127.0.0.1", silent_port)


def test_name_is_resolved_once_and_that_address_dialled(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolver(name: str, *_args: object, **_kwargs: object) -> list:
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", 0))]

    monkeypatch.setattr(guard.socket, "getaddrinfo", resolver)
    with dial.dial(settings_for(silent_port, host="mail.example.org")) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    assert asked == ["mail.example.org"]


def test_forbidden_address_is_never_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(errors.HostNotAllowed):
            dial.dial(ServerSettings(host="127.0.0.1", port=port))
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_port_that_speaks_tls_is_known_by_asking(serve, authority: Authority, silent_port: int) -> None:
    port = serve(authority.issue("mail.host.example"))
    assert dial.speaks_tls(settings_for(port), timeout_seconds=1)
    assert not dial.speaks_tls(settings_for(silent_port), timeout_seconds=0.2)
    assert not dial.speaks_tls(settings_for(free_port()), timeout_seconds=0.2)
