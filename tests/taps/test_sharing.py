"""A port that another process listens on too is told apart from one of our own."""

import socket
import subprocess
import sys

import pytest

from sensor.taps.sharing import is_shared

_OTHER = """
import socket, sys
other = socket.create_server((sys.argv[1], int(sys.argv[2])), family=int(sys.argv[3]), reuse_port=True)
print("listening", flush=True)
sys.stdin.read()
"""


def listener(host: str, port: int = 0) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, reuse_port=True)


ANYWHERE = "0.0.0.0"  # noqa: S104 - only asked for


@pytest.mark.parametrize(("ours", "theirs"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", ANYWHERE), ("::1", "::1")])
def test_a_port_that_another_process_listens_on_is_shared(ours: str, theirs: str) -> None:
    with listener(ours) as own:
        arguments = [theirs, str(own.getsockname()[1]), str(int(own.family))]
        assert not is_shared(own)
        with subprocess.Popen(
            [sys.executable, "-c", _OTHER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"listening\n"
            assert is_shared(own)
            other.communicate()
        assert not is_shared(own)


def test_our_own_second_socket_is_nobody_else() -> None:
    with listener("127.0.0.1") as one, listener("127.0.0.1", one.getsockname()[1]):
        assert not is_shared(one)


def test_another_address_of_the_same_port_is_not_ours() -> None:
    with listener("127.0.0.1") as one, listener("127.0.0.2", one.getsockname()[1]):
        assert not is_shared(one)
