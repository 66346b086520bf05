"""Machines on one machine: network namespaces that reach the servers of the rig by links that can be cut.

A hub and so many machines, each with two links to it: `mail` (also the queue) and `data` (the database). The hub forwards
what comes for its two addresses to loopback of the real machine. Namespaces live as long as a process in them, so
nothing is left behind, whatever ends the tests; no address is given outside of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading

from tests.rig.processes import wait_until
from tests.rig.proxy import Proxy

MAIL_HOST, DATA_HOST = "10.99.0.1", "10.99.0.2"
_CLONE_NEWNET = 0x4000_0000


class NotAllowed(Exception):
    """This machine makes no network namespaces for us; says why."""


class Network:
    """Use it as a context manager. Machines are numbered from 1."""

    def __init__(self, machines: int = 2) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        self._forwarders: list[Proxy] = []
        try:
            for _ in range(machines + 1):
                self._hold()
            self._in(0, "ip", "link", "set", "lo", "up")
            for host in (MAIL_HOST, DATA_HOST):
                self._in(0, "ip", "address", "add", f"{host}/32", "dev", "lo")
            for machine in range(1, machines + 1):
                self._in(machine, "ip", "link", "set", "lo", "up")
                self._link(machine, "mail", 1, MAIL_HOST)
                self._link(machine, "data", 5, DATA_HOST)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prefix(self, machine: int) -> tuple[str, ...]:
        """Words before a command that is to run on that machine."""
        return ("nsenter", f"--net={self._file(machine)}", "--")

    def forward(self, host: str, target_port: int) -> Proxy:
        """Have connections to the hub's host go to a loopback port of the real machine; `port` of what it gives."""
        made: list[socket.socket] = []
        thread = threading.Thread(target=self._listen, args=(host, made))  # its namespace is its own
        thread.start()
        thread.join()
        self._forwarders.append(Proxy(target_port, listener=made[0]))
        return self._forwarders[-1]

    def cut(self, machine: int, link: str) -> None:
        """Packets are lost from now on; nobody is told."""
        self._in(0, "ip", "link", "set", f"{link}{machine}", "down")

    def heal(self, machine: int, link: str) -> None:
        self._in(0, "ip", "link", "set", f"{link}{machine}", "up")

    def stop(self) -> None:
        for forwarder in self._forwarders:
            forwarder.stop()
        for holder in self._holders:
            holder.kill()
            holder.wait(10)

    def _hold(self) -> None:
        if not all(map(shutil.which, ("ip", "unshare", "nsenter", "setpriv"))):
            raise NotAllowed("no ip or unshare on this machine: apt-get install iproute2 util-linux")
        # ends with us, even when we are killed
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
        holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._holders.append(holder)
        ours = os.readlink("/proc/self/ns/net")
        file = self._file(len(self._holders) - 1)
        wait_until(
            lambda: holder.poll() is not None or _namespace_of(file) not in ("", ours), seconds=20, what="no namespace"
        )
        if holder.poll() is not None:
            assert holder.stderr is not None
            raise NotAllowed(holder.stderr.read().decode().strip())

    def _link(self, machine: int, name: str, last: int, host: str) -> None:
        hub, own = f"10.99.{machine}.{last}", f"10.99.{machine}.{last + 1}"
        peer = ("peer", "name", name, "netns", str(self._holders[machine].pid))
        self._in(0, "ip", "link", "add", f"{name}{machine}", "type", "veth", *peer)
        self._in(0, "ip", "address", "add", f"{hub}/30", "dev", f"{name}{machine}")
        self._in(machine, "ip", "address", "add", f"{own}/30", "dev", name)
        self.heal(machine, name)
        self._in(machine, "ip", "link", "set", name, "up")
        self._in(machine, "ip", "route", "add", f"{host}/32", "via", hub)

    def _in(self, machine: int, *command: str) -> None:
        done = subprocess.run([*self.prefix(machine), *command], capture_output=True, text=True)
        if done.returncode:
            raise NotAllowed(f"{' '.join(command)}: {done.stderr.strip()}")

    def _file(self, machine: int) -> str:
        return f"/proc/{self._holders[machine].pid}/ns/net"

    def _listen(self, host: str, made: list[socket.socket]) -> None:
        with open(self._file(0), "rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_server((host, 0), backlog=100))


def _namespace_of(file: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(file)
    return ""
