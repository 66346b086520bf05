"""`mailwall COMMAND`: the commands are Django's management commands of the rooms, under our name."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one command; hyphens in its name are as good as underscores, flags win over environment variables."""
    os.umask(0o077)  # mail and keys: what we write is for our user alone, whatever the shell says
    arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith("-"):
        arguments[0] = arguments[0].replace("-", "_")
    if arguments and arguments[0] in ("up", "web", "worker"):
        _flags_to_environment(arguments)
    if arguments[:2] == ["demo", "load"]:
        os.environ["MAILWALL_DEMO"] = "1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 -- needs the lines above

    execute_from_command_line(["mailwall", *arguments])


def _flags_to_environment(arguments: list[str]) -> None:
    """Settings are read once, at import: flags that decide them must stand in the environment before."""
    if "--demo" in arguments:
        os.environ["MAILWALL_DEMO"] = "1"
        os.environ.setdefault("MAILWALL_SYNC_INTERVAL_SECONDS", "15")
        os.environ["MAILWALL_DATA_DIR"] = _flag(arguments, "--data") or "./demo-data"
    elif data := _flag(arguments, "--data"):
        os.environ["MAILWALL_DATA_DIR"] = data
    host, port = _flag(arguments, "--host"), _flag(arguments, "--port")
    if not os.environ.get("MAILWALL_BASE_URL") and (host or port):
        shown = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 -- compared, not bound
        os.environ["MAILWALL_BASE_URL"] = f"http://{shown}:{port or 8000}"


def _flag(arguments: list[str], name: str) -> str:
    for index, argument in enumerate(arguments):
        if argument == name and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return ""
