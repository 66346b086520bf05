"""docs/api.md is run as it stands: a newcomer who copies its lines gets what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.mails import mail
from tests.rig.product import Product

pytestmark = pytest.mark.live
GUIDE = Path(__file__).resolve().parents[2] / "docs/api.md"


def test_the_guide_to_rest_does_what_it_says(mailbox):
    mailbox.deliver(mail(sender="ewa@kwiat.example", to=mailbox.address, subject="Offer for spring"))
    product = Product(MAILWALL_SYNC_INTERVAL_SECONDS="3600")
    try:
        product.user("alice@example.org")
        printed = run_guide(product, mailbox)
    finally:
        product.remove()
    assert printed == [
        "Alice",
        '{"state":"done","error":null}',
        "Offer for spring",
        "Offer for spring",
        "Asia/Tokyo",
        "contact",
        '{"status":404,"code":"not_found"}',
    ]


def run_guide(product: Product, mailbox) -> list[str]:
    """Run the indented lines of the guide in one shell; gives the lines that they print."""
    lines = re.findall(r"^    (.*)$", GUIDE.read_text(), re.M)
    mailwall = f'mailwall() {{ {sys.executable} -m mailwall.config "$@"; }}'
    env = {
        **product.env,
        "URL": product.url,
        "MAIL_HOST": "127.0.0.1",
        "MAIL_PORT": str(mailbox.dovecot.port),
        "MAIL_USER": mailbox.address,
        "MAIL_PASSWORD": mailbox.dovecot.password,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([mailwall, *lines])],
        cwd=GUIDE.parents[1], env=env, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
