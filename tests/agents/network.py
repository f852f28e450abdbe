# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace whose only way out is watched: every packet that a program in it sends is recorded."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

ADDRESS = "198.18.77.1"
"""This machine's end: of the range for benchmarks (RFC 2544), which nobody routes."""
_OTHER_END = "198.18.77.2"
_NAMESERVER = "192.0.2.53"
"""Of a documentation range: nobody answers, but the question is seen."""

_ETH_P_IP, _ETH_P_ARP = 0x0800, 0x0806
_TCP, _UDP = 6, 17


class Unavailable(RuntimeError):
    """This machine cannot make network namespaces; the message says what is missing."""


class Packet(NamedTuple):
    """Where a packet went. ``kind`` is ``tcp``, ``udp``, ``ip 47`` or ``ethernet 86dd``."""

    kind: str
    address: str
    port: int


class Network:
    """Use as a context manager; :attr:`command` starts a program in it.

    The default route leads to this machine's end of the wire, where packets to anywhere else are seen and dropped. So
    nothing leaves unseen: not a DNS query, not a connection to a fixed address.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Unavailable("network namespaces need root: run the tests of the agents as root")
        if shutil.which("ip") is None:
            raise Unavailable("the program ip is needed: apt-get install -y iproute2")
        self.name = f"fmapi-{secrets.token_hex(3)}"
        self._device = self.name.replace("fmapi-", "fm")
        self._packets: set[Packet] = set()
        self._stop = threading.Event()
        self._silences = 0
        self._resolver = Path("/etc/netns") / self.name

    @property
    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    @staticmethod
    def _ip(*arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"ip {' '.join(arguments)} failed: {done.stderr.strip()} (network namespaces are needed)")

    def __enter__(self) -> Network:
        inside = ["-n", self.name]
        try:
            self._ip("netns", "add", self.name)
            self._ip("link", "add", self._device, "type", "veth", "peer", "name", "wire", "netns", self.name)
            # No IPv6: its neighbour discovery would be noise, and without an address nothing can be sent by it.
            for path in (f"conf/{self._device}/disable_ipv6",):
                Path("/proc/sys/net/ipv6", path).write_text("1")
            subprocess.run([*self.command, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"], check=False)
            self._ip("address", "add", f"{ADDRESS}/30", "dev", self._device)
            self._ip("link", "set", self._device, "up")
            Path(f"/proc/sys/net/ipv4/conf/{self._device}/forwarding").write_text("0")
            self._ip(*inside, "address", "add", f"{_OTHER_END}/30", "dev", "wire")
            self._ip(*inside, "link", "set", "wire", "up")
            self._ip(*inside, "link", "set", "lo", "up")
            self._ip(*inside, "route", "add", "default", "via", ADDRESS)
            self._resolver.mkdir(parents=True)
            (self._resolver / "resolv.conf").write_text(f"nameserver {_NAMESERVER}\noptions timeout:1 attempts:1\n")
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self._socket.bind((self._device, 0))
            self._socket.settimeout(0.1)
            self._thread = threading.Thread(target=self._listen, daemon=True)
            self._thread.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self._remove()

    def _remove(self) -> None:
        for arguments in (["link", "delete", self._device], ["netns", "delete", self.name]):
            with contextlib.suppress(Unavailable):
                self._ip(*arguments)
        shutil.rmtree(self._resolver, ignore_errors=True)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                frame, origin = self._socket.recvfrom(65535)
            except TimeoutError:
                self._silences += 1
                continue
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            packet = self._parse(frame)
            if packet is not None:
                self._packets.add(packet)

    @staticmethod
    def _parse(frame: bytes) -> Packet | None:
        ethernet = int.from_bytes(frame[12:14], "big")
        if ethernet == _ETH_P_ARP:
            return None
        if ethernet != _ETH_P_IP:
            return Packet(f"ethernet {ethernet:04x}", "", 0)
        packet = frame[14:]
        header = (packet[0] & 0x0F) * 4
        address = socket.inet_ntoa(packet[16:20])
        if packet[9] not in (_TCP, _UDP):
            return Packet(f"ip {packet[9]}", address, 0)
        port = int.from_bytes(packet[header + 2 : header + 4], "big")
        return Packet("tcp" if packet[9] == _TCP else "udp", address, port)

    def clear(self) -> None:
        """Forget what was sent so far."""
        self._packets.clear()

    def sent(self) -> set[Packet]:
        """Where packets went so far. What was sent before the call is in it."""
        before, limit = self._silences, time.monotonic() + 10
        while self._silences < before + 2 and time.monotonic() < limit:  # the second began when all before it was read
            time.sleep(0.05)
        return set(self._packets)
