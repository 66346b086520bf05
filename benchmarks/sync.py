"""First synchronisation of a whole account from Dovecot on loopback into SQLite, beside mbsync and imap_tools.

Two accounts: text mails, and mails with files of 0.2 to 3 MB. Ours does all that the product does: parse, store, index
for search, match 500 contacts. mbsync writes a maildir, with fsync and deflate as it comes and without both; imap_tools
stores nothing. All read through the same counting proxy, interleaved; medians and spread are printed.
"""

from __future__ import annotations

import argparse

from benchmarks import clients, mailboxes
from benchmarks.measure import run
from tests.rig.dovecot import Dovecot


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench sync")
    parser.add_argument("--text", type=int, default=12_000, help="text mails")
    parser.add_argument("--files", type=int, default=400, help="mails with attachments")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    run(["true"])  # the launcher starts while this process is small
    compared = {
        "mailwall": clients.mailwall_warm,
        "mailwall_command": clients.mailwall_command,
        "mbsync_best": clients.mbsync("best"),
        "mbsync_as_it_comes": clients.mbsync("as_it_comes"),
    }
    with Dovecot(compress=True) as dovecot:
        size = mailboxes.fill_text(dovecot, options.text)
        text = (dovecot, mailboxes.TEXT, options.text, size)
        clients.compare("text", {**compared, "imap_tools": clients.imap_tools}, text, repeats=options.repeats)
        size = mailboxes.fill_files(dovecot, options.files)
        files = (dovecot, mailboxes.FILES, options.files, size)
        clients.compare("files", compared, files, repeats=options.repeats)
