"""Where MTAs reach the milter: sockets, who may use them, and what is left behind."""

from __future__ import annotations

import grp
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sensor.settings.milter import SocketAccess
from sensor.taps.base import TapError
from sensor.taps.milter.listening import listening, told


@pytest.mark.parametrize(("access", "mode"), [("owner", 0o600), ("group", 0o660), ("everybody", 0o666)])
def test_a_unix_socket_has_the_mode_asked_for_and_is_removed(tmp_path: Path, access: SocketAccess, mode: int) -> None:
    path = tmp_path / "milter.sock"
    with listening([f"unix:{path}"], access) as (listener,):
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert told(f"unix:{path}", listener) == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another group is given: that takes root")
def test_a_unix_socket_belongs_to_the_group_asked_for(tmp_path: Path) -> None:
    group = grp.getgrnam("daemon")
    with listening([f"unix:{tmp_path}/s"], "group", group.gr_name):
        assert (tmp_path / "s").stat().st_gid == group.gr_gid


def test_tcp_ports_are_told_with_the_number_they_got() -> None:
    with listening(["inet:127.0.0.1:0"]) as (listener,):
        found = re.fullmatch(r"inet:127\.0\.0\.1:([1-9][0-9]*)", told("inet:127.0.0.1:0", listener))
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1]))):
            pass
    with listening(["inet:[::1]:0"]) as (listener,):
        assert told("inet:[::1]:0", listener).startswith("inet:[::1]:")


def test_a_socket_left_by_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with listening([f"unix:{path}"]):
        assert path.is_socket()


def test_a_socket_that_another_process_listens_on_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listen = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();print(flush=True);input()"
    )
    command = [sys.executable, "-c", listen, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(TapError, match="another process listens there"), listening([f"unix:{path}"]):
            pass
        assert path.is_socket()
        other.kill()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(TapError, match="which is no socket"), listening([f"unix:{path}"]):
        pass
    assert path.read_text() == "mine"


def test_what_can_not_be_listened_on_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(TapError, match=r"inet:127\.0\.0\.1:[0-9]+: can't listen there: "),
        listening([f"unix:{tmp_path}/s", f"inet:127.0.0.1:{taken.getsockname()[1]}"]),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TapError, match="No such file"), listening([f"unix:{tmp_path}/no/s"]):
        pass


def test_the_same_process_may_listen_anew_before_it_stops_as_a_reload_does(tmp_path: Path) -> None:
    """New connections go to the new one; the path stays until it ends too."""
    path = tmp_path / "s"
    address = f"unix:{path}"
    with listening([address, "inet:127.0.0.1:0"]) as old:
        with listening([address, told("inet:127.0.0.1:0", old[1])]) as new:
            for each in (*old, *new):
                each.setblocking(False)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                new[0].accept()[0].close()
            old[0].accept()[0].close()  # who listens there was asked by a connection
            with pytest.raises(BlockingIOError):
                old[0].accept()
        assert not path.exists()
