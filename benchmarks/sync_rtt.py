"""`./bench sync` over a line with 50 ms round trips, beside mbsync at its best and with 50 commands in flight."""

from __future__ import annotations

import argparse

from benchmarks import clients, mailboxes
from benchmarks.measure import run
from tests.rig.dovecot import Dovecot

ROUND_TRIP_SECONDS = 0.05


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench sync-rtt")
    parser.add_argument("--text", type=int, default=12_000, help="text mails")
    parser.add_argument("--files", type=int, default=400, help="mails with attachments")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    run(["true"])  # the launcher starts while this process is small
    compared = {
        "mailwall": clients.mailwall_warm,
        "mailwall_command": clients.mailwall_command,
        "mbsync_best": clients.mbsync("best"),
        "mbsync_depth_50": clients.mbsync("depth_50"),
    }
    with Dovecot(compress=True) as dovecot:
        for label, user, count, fill in (
            ("rtt_text", mailboxes.TEXT, options.text, mailboxes.fill_text),
            ("rtt_files", mailboxes.FILES, options.files, mailboxes.fill_files),
        ):
            mailbox = (dovecot, user, count, fill(dovecot, count))
            clients.compare(label, compared, mailbox, repeats=options.repeats, delay_seconds=ROUND_TRIP_SECONDS / 2)
