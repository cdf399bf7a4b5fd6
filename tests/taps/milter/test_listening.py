"""Where MTAs reach the milter: sockets, who may use them, and what is left behind."""

from __future__ import annotations

import grp
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensor.settings.milter import SocketAccess
from sensor.taps.base import TapError
from sensor.taps.milter.listening import Door, listening
from tests.running import root_for


@contextmanager
def opened(*addresses: str, access: SocketAccess = "owner", group: str = "") -> Iterator[list[Door]]:
    with listening(addresses, access, group) as doors:
        for door in doors:
            door.open()
        yield doors


@pytest.mark.parametrize(("access", "mode"), [("owner", 0o600), ("group", 0o660), ("everybody", 0o666)])
def test_a_unix_socket_has_the_mode_asked_for_and_is_removed(tmp_path: Path, access: SocketAccess, mode: int) -> None:
    path = tmp_path / "milter.sock"
    with opened(f"unix:{path}", access=access) as (door,):
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert door.address == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


@root_for("another group is given")
def test_a_unix_socket_belongs_to_the_group_asked_for(tmp_path: Path) -> None:
    group = grp.getgrnam("daemon")
    with opened(f"unix:{tmp_path}/s", access="group", group=group.gr_name):
        assert (tmp_path / "s").stat().st_gid == group.gr_gid


def test_tcp_ports_are_told_with_the_number_they_got() -> None:
    with opened("inet:127.0.0.1:0") as (door,):
        found = re.fullmatch(r"inet:127\.0\.0\.1:([1-9][0-9]*)", door.address)
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1]))):
            pass
    with opened("inet:[::1]:0") as (door,):
        assert re.fullmatch(r"inet:\[::1\]:[1-9][0-9]*", door.address)


def test_a_socket_left_by_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with opened(f"unix:{path}"):
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
    with pytest.raises(TapError, match="there is no folder"), listening([f"unix:{tmp_path}/no/s"]):
        pass


def test_before_it_is_opened_nobody_finds_it_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening([f"unix:{path}"]):
        assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_went_away_is_told_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with listening([f"unix:{tmp_path}/d/s"]) as (door,):
        (tmp_path / "d" / "s").mkdir()
        with pytest.raises(TapError, match="can't listen there"):
            door.open()


def test_the_same_process_may_listen_anew_before_it_stops_as_a_reload_does(tmp_path: Path) -> None:
    """New connections go to the new one; the path stays until it ends too."""
    path = tmp_path / "s"
    with opened(f"unix:{path}", "inet:127.0.0.1:0") as old:
        with opened(f"unix:{path}", old[1].address) as new:
            for each in (*old, *new):
                each.listener.setblocking(False)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                new[0].listener.accept()[0].close()
            old[0].listener.accept()[0].close()  # who listens there was asked by a connection
            with pytest.raises(BlockingIOError):
                old[0].listener.accept()
            old[0].close()
            assert path.is_socket()
        assert not path.exists()
