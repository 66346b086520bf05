"""Handing mail over to a real server: what was sent, what comes later, what never, and what nobody knows."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from mailwall.net.types import NetworkPolicy, Security, ServerSettings
from mailwall.smtp import submit as submitting
from mailwall.smtp.errors import (
    SmtpBusy,
    SmtpError,
    SmtpLoginRefused,
    SmtpOutcomeUnknown,
    SmtpReceiversRefused,
    SmtpRefused,
    SmtpTemporary,
    SmtpTimeout,
    SmtpTlsFailed,
    SmtpUnreachable,
)
from mailwall.smtp.submit import SmtpSession, submit
from mailwall.smtp.types import Mail
from tests.rig import mails
from tests.rig.certificates import Authority
from tests.rig.processes import free_port
from tests.rig.proxy import Proxy
from tests.rig.smtp_sink import PASSWORD, SmtpSink

ALICE, EWA, JAN = "alice@example.org", "ewa@kwiat.example", "jan@kwiat.example"
RAW = mails.mail(sender=ALICE, to=EWA, subject="Offer")


def settings_for(
    port: int, security: Security = "none", *, ca_file: str = "", password: str = PASSWORD
) -> ServerSettings:
    return ServerSettings(
        host="127.0.0.1",
        port=port,
        security=security,
        username=ALICE,
        password=password,
        policy=NetworkPolicy(hosts_allow=("127.0.0.1",), ca_file=ca_file),
        connect_timeout_seconds=2,
        read_timeout_seconds=2,
    )


def mail(sender: str = ALICE, receivers: Sequence[str] = (EWA,), raw: bytes = RAW) -> Mail:
    return Mail(sender=sender, receivers=tuple(receivers), raw=raw)


@pytest.fixture
def proxy(smtp_sink: SmtpSink) -> Iterator[Proxy]:
    with Proxy(smtp_sink.port) as between:
        yield between


def test_mail_arrives_as_it_was(smtp_sink: SmtpSink) -> None:
    result = submit(settings_for(smtp_sink.port), ALICE, [EWA, JAN], RAW)
    assert (result.accepted, result.refused) == ((EWA, JAN), {})
    [taken] = smtp_sink.taken
    assert (taken.sender, taken.receivers, taken.raw) == (ALICE, (EWA, JAN), RAW)
    assert smtp_sink.sign_ins == [True]
    assert f"SIZE={len(RAW)}" in taken.options


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_over_verified_encryption(authority: Authority, security: Security) -> None:
    certificate = authority.issue("127.0.0.1")
    with SmtpSink(certificate=certificate, tls=security == "tls") as sink:
        submit(settings_for(sink.port, security, ca_file=str(authority.ca_file)), ALICE, [EWA], RAW)
        assert len(sink.taken) == 1
        with pytest.raises(SmtpTlsFailed):
            submit(settings_for(sink.port, security), ALICE, [EWA], RAW)
        assert sink.sign_ins == [True]


def test_several_mails_share_one_connection(smtp_sink: SmtpSink, proxy: Proxy) -> None:
    with SmtpSession(settings_for(proxy.port)) as session:
        for _ in range(5):
            session.submit(mail(ALICE, [EWA]))
    assert (len(smtp_sink.taken), proxy.connections, smtp_sink.sign_ins) == (5, 1, [True])


@pytest.mark.parametrize(
    "body",
    [b".\r\n..\r\n.hidden\r\n", b"a\n.\nb\n", b"a\r\n.\rMAIL FROM:<x@example.org>\r\n", b"no end", b"\r\n.\n\r\n.\r\n"],
)
def test_lines_that_begin_with_a_dot_survive(smtp_sink: SmtpSink, body: bytes) -> None:
    raw = b"Subject: dots\r\n\r\n" + body
    submit(settings_for(smtp_sink.port), ALICE, [EWA], raw)
    [taken] = smtp_sink.taken
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
    assert taken.raw.rstrip(b"\r\n").split(b"\r\n") == lines


@pytest.mark.parametrize(("mode", "kind"), [("temp", SmtpTemporary), ("perm", SmtpRefused)])
def test_answer_to_the_mail_decides_what_follows(smtp_sink: SmtpSink, mode, kind: type[SmtpError]) -> None:
    smtp_sink.mode = mode
    with SmtpSession(settings_for(smtp_sink.port)) as session:
        with pytest.raises(kind) as raised:
            session.submit(mail(ALICE, [EWA]))
        assert raised.value.retryable is (mode == "temp")
        assert ("disk is being mended" if mode == "temp" else "This looks like advertising") in raised.value.message
        smtp_sink.mode = "ok"
        session.submit(mail(ALICE, [EWA]))
    assert len(smtp_sink.taken) == 1


def test_refused_receivers_are_told_and_the_others_get_the_mail(smtp_sink: SmtpSink) -> None:
    result = submit(settings_for(smtp_sink.port), ALICE, [EWA, "refused@x.example", "later@x.example"], RAW)
    assert result.accepted == (EWA,)
    assert result.refused["refused@x.example"].permanent
    assert not result.refused["later@x.example"].permanent
    assert "No such user" in result.refused["refused@x.example"].words


@pytest.mark.parametrize(
    ("receivers", "retryable"),
    [(["refused@x.example"], False), (["refused@x.example", "later@x.example"], True)],
)
def test_no_receiver_left_is_an_error(smtp_sink: SmtpSink, receivers: list[str], retryable: bool) -> None:
    with SmtpSession(settings_for(smtp_sink.port)) as session:
        with pytest.raises(SmtpReceiversRefused) as raised:
            session.submit(mail(ALICE, receivers))
        assert raised.value.retryable is retryable
        assert set(raised.value.refusals) == set(receivers)
        session.submit(mail(ALICE, [EWA]))
    assert len(smtp_sink.taken) == 1


def numbered(number: int, receiver: str = EWA) -> Mail:
    return mail(receivers=[receiver], raw=mails.mail(sender=ALICE, to=receiver, subject=f"Offer {number}"))


@pytest.mark.parametrize(("pipelining", "round_trips"), [(True, 10), (False, 40)])
def test_mails_said_together_cost_one_round_trip_each(pipelining: bool, round_trips: int) -> None:
    letters = [numbered(number) for number in range(10)]
    with (
        SmtpSink(pipelining=pipelining) as sink,
        Proxy(sink.port) as line,
        SmtpSession(settings_for(line.port)) as session,
    ):
        before = line.turns
        for letter, following in zip(letters, [*letters[1:], None], strict=True):
            session.submit(letter, then=following)
        assert line.turns - before <= round_trips + 1
        assert [taken.raw for taken in sink.taken] == [letter.raw for letter in letters]


@pytest.mark.parametrize(("mode", "kind"), [("temp", SmtpTemporary), ("perm", SmtpRefused)])
def test_refused_mail_takes_the_one_said_with_it_not_along(smtp_sink: SmtpSink, proxy: Proxy, mode, kind) -> None:
    first, second = numbered(1), numbered(2)
    smtp_sink.mode = mode
    with SmtpSession(settings_for(proxy.port)) as session:
        with pytest.raises(kind):
            session.submit(first, then=second)
        smtp_sink.mode = "ok"
        session.submit(second)
    assert ([taken.raw for taken in smtp_sink.taken], proxy.connections) == ([second.raw], 1)


def test_refused_receivers_of_a_mail_said_ahead_are_its_own(smtp_sink: SmtpSink, proxy: Proxy) -> None:
    first, second, third = numbered(1), numbered(2, "refused@kwiat.example"), numbered(3)
    with SmtpSession(settings_for(proxy.port)) as session:
        session.submit(first, then=second)
        with pytest.raises(SmtpReceiversRefused):
            session.submit(second, then=third)
        session.submit(third)
    assert ([taken.raw for taken in smtp_sink.taken], proxy.connections) == ([first.raw, third.raw], 1)


def test_lost_answer_leaves_the_mail_said_ahead_unbegun(smtp_sink: SmtpSink) -> None:
    smtp_sink.mode = "drop"
    session = SmtpSession(settings_for(smtp_sink.port))
    with pytest.raises(SmtpOutcomeUnknown):
        session.submit(numbered(1), then=numbered(2))
    assert (session.closed, len(smtp_sink.taken)) == (True, 1)


@pytest.mark.parametrize("ends", [lambda session: session.close(), lambda session: session.submit(numbered(3))])
def test_mail_said_ahead_and_never_handed_over_does_not_leave(ends) -> None:
    first = numbered(1)
    with SmtpSink() as sink:
        session = SmtpSession(settings_for(sink.port))
        session.submit(first, then=numbered(2))
        with contextlib.suppress(SmtpUnreachable):
            ends(session)
        assert session.closed
        time.sleep(0.1)
        assert [taken.raw for taken in sink.taken] == [first.raw]


def test_server_that_leaves_while_the_fence_is_written_took_nothing(smtp_sink: SmtpSink) -> None:
    first, second = numbered(1), numbered(2)
    session = SmtpSession(settings_for(smtp_sink.port))
    session.submit(first, then=second)
    with pytest.raises(SmtpUnreachable):
        session.submit(second, before_content=smtp_sink.hang_up)
    assert (session.in_content, len(smtp_sink.taken)) == (False, 1)


def test_server_that_dislikes_haste_gets_one_mail_after_the_other() -> None:
    letters = [numbered(number) for number in range(3)]
    with DislikesHaste() as server:
        with SmtpSession(settings_for(server.port)) as session:
            session.submit(letters[0], then=letters[1])
            with pytest.raises(SmtpUnreachable):
                session.submit(letters[1], then=letters[2])
        with SmtpSession(settings_for(server.port)) as session:
            session.submit(letters[1], then=letters[2])
            session.submit(letters[2])
        assert (server.taken, server.complaints) == (3, 1)


def test_connection_lost_before_the_mail_may_be_tried_again(smtp_sink: SmtpSink) -> None:
    smtp_sink.mode = "drop_before_data"
    with pytest.raises(SmtpUnreachable) as raised:
        submit(settings_for(smtp_sink.port), ALICE, [EWA], RAW)
    assert raised.value.retryable


def test_connection_lost_after_the_mail_leaves_the_outcome_unknown(smtp_sink: SmtpSink) -> None:
    smtp_sink.mode = "drop"
    with pytest.raises(SmtpOutcomeUnknown) as raised:
        submit(settings_for(smtp_sink.port), ALICE, [EWA], RAW)
    assert not raised.value.retryable
    assert len(smtp_sink.taken) == 1


def test_silence_after_the_mail_leaves_the_outcome_unknown(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "_ANSWER_SECONDS", 0.5)
    smtp_sink.mode, smtp_sink.slow_seconds = "slow", 3
    with pytest.raises(SmtpOutcomeUnknown):
        submit(dataclasses.replace(settings_for(smtp_sink.port), read_timeout_seconds=0.5), ALICE, [EWA], RAW)


def test_slow_answer_is_waited_for(smtp_sink: SmtpSink) -> None:
    smtp_sink.mode, smtp_sink.slow_seconds = "slow", 1
    settings = dataclasses.replace(settings_for(smtp_sink.port), read_timeout_seconds=0.5)
    assert submit(settings, ALICE, [EWA], RAW).accepted == (EWA,)


@pytest.mark.parametrize("command", [b"EHLO", b"AUTH", b"MAIL", b"RCPT", b"DATA"])
def test_server_that_hangs_up_at_any_command_took_nothing(command: bytes) -> None:
    with HangsUp(command) as port, pytest.raises((SmtpUnreachable, SmtpTimeout)) as raised:
        submit(settings_for(port), ALICE, [EWA], RAW)
    assert raised.value.retryable


def test_server_that_hangs_up_at_the_last_dot_is_unknown() -> None:
    with HangsUp(b".") as port, pytest.raises(SmtpOutcomeUnknown):
        submit(settings_for(port), ALICE, [EWA], RAW)


def test_wrong_password_is_a_refused_login(smtp_sink: SmtpSink) -> None:
    with pytest.raises(SmtpLoginRefused) as raised:
        submit(settings_for(smtp_sink.port, password="wr0ng"), ALICE, [EWA], RAW)
    assert (raised.value.code, raised.value.retryable) == ("smtp_login_refused", False)
    assert "wr0ng" not in raised.value.message + raised.value.details


@pytest.mark.parametrize("password", ["zażółć gęślą", 'a b"\\', "{5}"])
def test_any_password_signs_in(smtp_sink: SmtpSink, password: str) -> None:
    smtp_sink.password = password
    assert submit(settings_for(smtp_sink.port, password=password), ALICE, [EWA], RAW).accepted


def test_mail_above_the_servers_limit_is_refused_before_it_is_sent() -> None:
    with SmtpSink(size_limit=1_000_000) as sink, pytest.raises(SmtpRefused) as raised:
        submit(settings_for(sink.port), ALICE, [EWA], RAW + b"x" * 2_000_000)
    assert raised.value.message == "The mail has 3 MB, the server takes at most 1 MB."


@pytest.mark.parametrize(
    "address",
    ["", "ewa", "@kwiat.example", "ewa@", "e wa@x.example", "e@x.example\r\nRCPT TO:<m@x.example>", "<e@x.example>"],
)
def test_address_that_could_inject_is_refused_before_a_word_is_said(smtp_sink: SmtpSink, address: str) -> None:
    with SmtpSession(settings_for(smtp_sink.port)) as session:
        for sender, receiver in ((address, EWA), (ALICE, address)):
            with pytest.raises(SmtpRefused):
                session.submit(mail(sender, [receiver]))
        session.submit(mail(ALICE, [EWA]))
    assert [taken.receivers for taken in smtp_sink.taken] == [(EWA,)]


def test_international_addresses_use_what_is_offered(smtp_sink: SmtpSink, proxy: Proxy) -> None:
    raw = "Subject: Żółw\r\n\r\nzażółć\r\n".encode()
    submit(settings_for(smtp_sink.port), ALICE, ["żółw@żółw.example"], raw)
    [taken] = smtp_sink.taken
    assert taken.receivers == ("żółw@xn--w-uga1v8h.example",)
    assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(taken.options)
    proxy.rewrite = lambda line: line.replace(b"250-SMTPUTF8\r\n", b"").replace(b"250 SMTPUTF8", b"250 X")
    with pytest.raises(SmtpRefused):
        submit(settings_for(proxy.port), ALICE, ["żółw@kwiat.example"], RAW)


def test_dripping_server_ends_at_the_deadline(smtp_sink: SmtpSink, proxy: Proxy) -> None:
    proxy.drip_seconds = 0.2
    settings = dataclasses.replace(settings_for(proxy.port), connect_timeout_seconds=1, read_timeout_seconds=1)
    begin = time.monotonic()
    with pytest.raises(SmtpTimeout):
        submit(settings, ALICE, [EWA], RAW)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled\r\n", SmtpLoginRefused),
        (b"534 5.7.9 Application-specific password required\r\n", SmtpLoginRefused),
        (b"454 4.7.0 Temporary authentication failure\r\n", SmtpBusy),
        (b"538 5.7.11 Encryption required\r\n", SmtpTlsFailed),
    ],
)
def test_answer_to_the_sign_in_is_put_into_words(smtp_sink: SmtpSink, proxy: Proxy, answer: bytes, kind) -> None:
    proxy.rewrite = lambda line: answer if line.startswith(b"235") else line
    with pytest.raises(kind) as raised:
        submit(settings_for(proxy.port), ALICE, [EWA], RAW)
    assert raised.value.message == (raised.value.msgid % raised.value.params)


def test_closed_port_is_unreachable() -> None:
    with pytest.raises(SmtpUnreachable) as raised:
        submit(settings_for(free_port()), ALICE, [EWA], RAW)
    assert raised.value.code == "smtp_unreachable"


def test_answers_before_the_encryption_are_refused(authority: Authority) -> None:
    with SmtpSink(certificate=authority.issue("127.0.0.1")) as sink, Proxy(sink.port) as proxy:
        proxy.rewrite = lambda line: line + b"250 AUTH PLAIN\r\n" if line.startswith(b"220 Ready") else line
        with pytest.raises(SmtpTlsFailed):
            submit(settings_for(proxy.port, "starttls", ca_file=str(authority.ca_file)), ALICE, [EWA], RAW)
        assert not sink.sign_ins


class HangsUp:
    """A server that takes every command, and hangs up at one of them without an answer."""

    def __init__(self, command: bytes) -> None:
        self._command = command
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        in_data = False
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 ready\r\n")
            for line in lines:
                word = line.split()[0].upper() if line.split() else b""
                if word == self._command:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                if in_data:
                    continue
                in_data = word == b"DATA"
                answers = {b"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 in\r\n", b"DATA": b"354 go\r\n"}
                client.sendall(answers.get(word, b"250 OK\r\n"))


class DislikesHaste:
    """A server that offers PIPELINING and cannot bear a mail right behind another."""

    def __init__(self) -> None:
        self.taken = self.complaints = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> DislikesHaste:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client:
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.sendall(b"220 ready\r\n")
        while raw := client.recv(65_536):
            _content, dot, hasty = raw.rpartition(b"\r\n.\r\n")
            self.taken += bool(dot)
            if dot and hasty:
                self.complaints += 1
                client.sendall(b"250 OK\r\n503 5.5.1 Not so fast\r\n")
            elif dot:
                client.sendall(b"250 OK\r\n")
            elif raw.startswith(b"MAIL"):
                client.sendall(b"250 OK\r\n250 OK\r\n354 go on\r\n")
            else:
                client.sendall(
                    {b"e": b"250-here\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n", b"A": b"235 in\r\n"}.get(
                        raw[:1], b"250 OK\r\n"
                    )
                )
