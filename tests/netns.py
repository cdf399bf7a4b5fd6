"""
Network namespaces with interfaces that belong to a test: made by it, gone after it, seen by nobody else.

    with namespace() as net:
        net.veth("a0", "b0")
        net.run("ping", ...)

It takes root. Without it a test is passed over and says so.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.running import COMMAND, environment, needs

T = TypeVar("T")

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2"
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


class Namespace:
    """One network namespace, entered by the commands and calls that it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._ip = needs("ip", "iproute2")

    def ip(self, *arguments: str) -> None:
        """``ip`` inside. Raises with what it said."""
        done = subprocess.run([self._ip, "-n", self.name, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"

    def up(self, *interfaces: str) -> None:
        for interface in interfaces:
            self.ip("link", "set", interface, "up")

    def veth(self, one: str, other: str, peer: Namespace | None = None) -> None:
        """A pair of interfaces, both up; *other* is in *peer* if one is named."""
        there = peer or self
        self.ip("link", "add", one, "type", "veth", "peer", "name", other, "netns", there.name)
        self.up(one)
        there.up(other)

    def popen(self, *command: str | Path, **options: object) -> subprocess.Popen[bytes]:
        """A program inside."""
        whole = [self._ip, "netns", "exec", self.name, *map(str, command)]
        return subprocess.Popen(whole, env=environment(), **options)  # type: ignore[call-overload, no-any-return]

    def sniff(self, *arguments: str) -> subprocess.Popen[bytes]:
        """``mailsensor sniff`` inside, once it captures."""
        process = self.popen(*COMMAND, "sniff", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert b"capturing" in line, line + process.stderr.read()
        return process

    def call(self, work: Callable[[], T]) -> T:
        """What *work* gives, called on a thread that is inside; sockets it opens stay inside."""
        results: list[T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                self._enter()
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                errors.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self) -> None:
        descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Of this thread alone: setns(2).
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)

    def send_frames(self, interface: str, frames: Sequence[bytes]) -> None:
        """Put *frames* on an interface as they are."""

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
                out.bind((interface, 0))
                for frame in frames:
                    out.send(frame)

        self.call(send)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new namespace with nothing but a loopback interface, which is up; gone at the end with all in it."""
    program = needs("ip", "iproute2")
    if os.geteuid() != 0:
        lack = "network namespaces are made as root: run the tests as root"
        if os.environ.get("CI"):
            pytest.fail(lack)
        pytest.skip(lack)
    name = f"mailsensor-{os.getpid()}-{next(_numbers)}"
    done = subprocess.run([program, "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine makes no network namespaces: {done.stderr.strip()}")
    net = Namespace(name)
    try:
        net.up("lo")
        yield net
    finally:
        subprocess.run([program, "netns", "del", name], check=False)


@contextmanager
def client_and_server() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts, ``CLIENT`` with interface c0 and ``SERVER`` with s0, joined by a cable."""
    with namespace() as client, namespace() as server:
        client.veth("c0", "s0", server)
        for net, interface, addresses in ((client, "c0", (CLIENT, CLIENT6)), (server, "s0", (SERVER, SERVER6))):
            net.ip("address", "add", f"{addresses[0]}/24", "dev", interface)
            net.ip("address", "add", f"{addresses[1]}/64", "dev", interface, "nodad")
        yield client, server
