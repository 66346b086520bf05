"""`python -m mailwall.config COMMAND` is the same as `mailwall COMMAND`."""

from __future__ import annotations

from mailwall.config.cli import main

main()
