"""The sensor as a service: everything that the settings name, in one process, until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from sensor.app.build import plan_of
from sensor.app.common import READ_WHOLE, collect_seldom
from sensor.app.notify import Notifier
from sensor.app.rights import Rights
from sensor.app.sensor import Sensor
from sensor.log import Log
from sensor.privileges import PrivilegeError
from sensor.web.server import bound, open_web

COULD_NOT_GO_ON = 1
"""A worker died that only a new process can begin again. Everything is saved, and who supervises starts one."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks: the settings file."""

    settings_path: str


def run(options: RunOptions, environment: Mapping[str, str]) -> int:
    """
    Run until SIGTERM or Ctrl-C, then drain, save, and return the exit status.

    Raises a ``UserError`` for what the caller must put right before anything is started.
    """
    collect_seldom()
    log = Log()
    plan = plan_of(options.settings_path, environment)
    # Whatever it makes tells who writes to whom.
    os.umask(0o077)
    rights = Rights(plan.settings.run, log=log)
    rights.become()
    _check_that_it_can_read_again(options.settings_path)
    with ExitStack() as opened:
        listener = opened.enter_context(bound(plan.settings.web)) if plan.settings.web.listen else None
        sensor = opened.enter_context(
            Sensor(
                plan,
                load=lambda: plan_of(options.settings_path, environment),
                log=log,
                sockets_are_open=rights.sockets_are_open,
            )
        )
        rights.check()
        rights.tell()
        web = None
        if listener is not None:
            web = opened.enter_context(open_web(plan.settings.web, sensor, log, listener=listener))
        stop = opened.enter_context(_signals(sensor))
        sensor.start()
        if web is not None:
            web.start()
            log.info("listening", at=web.address)
        notifier = Notifier(environment)
        notifier.ready()
        log.info("running", workers=",".join(sensor.worker_names))
        status = READ_WHOLE
        while not stop.is_set():
            sensor.turn()
            notifier.alive(time.monotonic())
            if sensor.stranded and notifier.is_supervised:
                log.error("ends_to_be_started_anew", workers=",".join(sensor.stranded), why="the right to them is gone")
                status = COULD_NOT_GO_ON
                break
        notifier.stopping()
        log.info("stopping")
        sensor.drain(lambda: notifier.alive(time.monotonic()))
    log.info("stopped")
    return status


def _check_that_it_can_read_again(path: str) -> None:
    """A reload reads the settings as the user that the process is by now."""
    if not os.access(path, os.R_OK):
        raise PrivilegeError(
            f"{path}: can't be read by the user that the sensor runs as ({os.getuid()}), so it could not be read "
            f"anew on SIGHUP: chgrp {os.getgid()} {path} and chmod 640 {path}"
        )


@contextmanager
def _signals(sensor: Sensor) -> Iterator[threading.Event]:
    """SIGTERM and SIGINT set the event; SIGHUP asks for a reload. A second SIGINT ends at once."""
    stop = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        sensor.request_reload()

    before = {
        number: signal.signal(number, handler)
        for number, handler in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, hang_up))
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
