"""The password of a mailbox shows up nowhere, whatever its characters and whatever a server makes of it."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from django.apps import apps
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings
from mailwall.sync import services
from mailwall.web import secrets
from tests.cast import Api, make_account
from tests.rig.smtp_sink import SmtpSink

ODD = "c4nary \"q\\b'<&%+/=;{} $x"
INTERNATIONAL = "c4näry Zażółć 密"


def spellings(password: str) -> list[str]:
    raw = password.encode()
    encoded = [base64.b64encode(each).decode() for each in (raw, b"\0box@ours.example\0" + raw)]
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    return [
        password,
        quoted,
        *encoded,
        quote(password, safe=""),
        quote_plus(password),
        repr(password)[1:-1],
        repr(raw)[2:-1],
    ]


def found_in(text: str) -> list[str]:
    return [each for password in (ODD, INTERNATIONAL) for each in spellings(password) if each in text] + re.findall(
        "c4n[aä]ry.{0,20}", text
    )


class Parrot:
    """An IMAP server that repeats what it is told, as it came and decoded, in an answer of the test's choice, and hangs up."""

    def __init__(self, answer: Callable[[str, str], str]) -> None:
        self.answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
            client.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
            for line in lines:
                tag, _, command = line.decode().rstrip("\r\n").partition(" ")
                if command.startswith("AUTHENTICATE"):
                    client.sendall(b"+ \r\n")
                    answer = next(lines).decode().strip()
                    command = f"{answer} {base64.b64decode(answer).decode()}"
                client.sendall(self.answer(tag, command).encode())
                return


ANSWERS = {
    "refused": lambda tag, said: f"{tag} NO [ALERT] cannot {said}\r\n",
    "expired": lambda tag, said: f"{tag} NO [EXPIRED] {said}\r\n",
    "not understood": lambda tag, said: f"{tag} BAD {said}\r\n",
    "bye": lambda tag, said: f"* BYE {said}\r\n",
    "nonsense": lambda tag, said: f"{said}\r\n",
    "untagged": lambda tag, said: f"* {said}\r\n{tag} NO {said}\r\n",
    "busy": lambda tag, said: f"{tag} NO [UNAVAILABLE] {said}\r\n",
    "capability": lambda tag, said: f"{tag} OK [CAPABILITY {said}] {said}\r\n",
}


@pytest.fixture(params=ANSWERS)
def parrot(request) -> Iterator[Parrot]:
    server = Parrot(ANSWERS[request.param])
    yield server
    server.close()


def everything_stored() -> str:
    """All rows but the sealed password, which is no spelling of it."""
    return "\n".join(
        repr(row) for model in apps.get_models() if model._meta.managed for row in model._base_manager.values_list()
    )


@pytest.mark.parametrize("password", [ODD, INTERNATIONAL], ids=["odd", "international"])
def test_a_server_that_repeats_the_password_tells_it_to_nobody(cast, caplog, password, parrot):
    caplog.set_level(logging.DEBUG)
    api, page = Api(cast.alice), Client()
    page.force_login(cast.alice)
    server = {"host": "127.0.0.1", "port": parrot.port, "security": "none", "username": "box@ours.example"}
    body = {"address": "new@ours.example", "imap": {**server, "password": password}}
    account = make_account(cast.alice, "box@ours.example", imap_port=parrot.port)
    account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
    account.save()
    form = {
        "address": "new@ours.example", "imap_host": "127.0.0.1", "imap_port": parrot.port, "imap_security": "none",
        "imap_username": "box@ours.example", "imap_password": password, "store": "both", "visibility": "owner", "smtp_same": "on",
        "smtp_port": "465", "smtp_security": "tls", "window": "days",
        "owner": cast.alice.pk,
    }  # fmt: skip
    services.sync_account(account.pk)
    answers = [
        api.post("/email-accounts/test", body),
        api.post("/email-accounts", body),
        api.post(f"/email-accounts/{account.pk}/reactivate"),
        api.get(f"/email-accounts/{account.pk}"),
        page.post("/settings/email-accounts/new/", {**form, "do": "test"}),
        page.post("/settings/email-accounts/new/", form),
        page.post(f"/settings/email-accounts/{account.pk}/", form),
        page.get("/settings/email-accounts/"),
    ]
    assert [found_in(answer.content.decode()) for answer in answers if found_in(answer.content.decode())] == []
    assert found_in(caplog.text + "".join(repr(vars(record)) for record in caplog.records)) == []
    assert found_in(everything_stored()) == []
    assert {answer.status_code for answer in answers} <= {200, 201, 302, 422}


@pytest.mark.parametrize("password", [ODD, INTERNATIONAL], ids=["odd", "international"])
def test_every_spelling_of_a_password_is_masked(password):
    settings = ServerSettings(host="mail.example", port=993, username="box@ours.example", password=password)
    for each in spellings(password):
        assert found_in(masked(f"You sent {each}, which is wrong", settings)) == []
        assert masked(f"You sent {each}, which is wrong", settings).endswith("which is wrong")


def test_masking_takes_no_time_on_hostile_words():
    settings = ServerSettings(host="mail.example", port=993, username="x", password="\\\\" * 20 + "a\\a" * 20)
    begin = time.process_time()
    masked("\\" * 1_000_000 + "a\\" * 1_000_000, settings)
    assert time.process_time() - begin < 1


def test_the_address_and_query_of_a_refused_form_are_not_logged(db):
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each.formatter, ProcessorFormatter)]
    written = io.StringIO()
    before = handler.setStream(written)
    try:
        Client(enforce_csrf_checks=True).post("/setup/s3cret-token/?q=private+words")
        logging.getLogger("django.request").error("failed", extra={"request": "GET /search?q=private+words"})
    finally:
        handler.setStream(before)
    assert "form refused" in written.getvalue() and "failed" in written.getvalue()
    assert "s3cret-token" not in written.getvalue() and "private" not in written.getvalue()


def test_a_refused_sending_server_tells_the_password_to_nobody(cast, caplog):
    caplog.set_level(logging.DEBUG)
    with SmtpSink() as sink:
        server = {
            "host": "127.0.0.1",
            "port": sink.port,
            "security": "none",
            "username": "box@ours.example",
            "password": ODD,
        }
        account = make_account(cast.alice, "box@ours.example")
        answer = Api(cast.alice).call("PATCH", f"/email-accounts/{account.pk}", {"smtp": server})
    assert (answer.status_code, answer.json()["code"]) == (422, "smtp_login_refused")
    assert found_in(answer.content.decode() + caplog.text + everything_stored()) == []
