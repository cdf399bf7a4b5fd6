"""The sensor as a service: everything that the settings name, in one process, until it is told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from sensor.app.build import Plan, plan_of
from sensor.app.common import READ_WHOLE
from sensor.app.notify import Notifier
from sensor.app.sensor import Sensor
from sensor.log import Log
from sensor.web.server import WebServer, open_web


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks: the settings file."""

    settings_path: str


def run(options: RunOptions, environment: Mapping[str, str]) -> int:
    """
    Run until SIGTERM or Ctrl-C, then drain, save, and return the exit status.

    Raises a ``UserError`` for what the caller must put right before anything is started.
    """
    log = Log()
    plan = plan_of(options.settings_path, environment)
    with ExitStack() as opened:
        sensor = opened.enter_context(Sensor(plan, load=lambda: plan_of(options.settings_path, environment), log=log))
        web = _web(opened, plan, sensor, log)
        stop = opened.enter_context(_signals(sensor))
        sensor.start()
        if web is not None:
            web.start()
            log.info("listening", at=web.address)
        notifier = Notifier(environment)
        notifier.ready()
        log.info("running", workers=",".join(sensor.worker_names))
        while not stop.is_set():
            sensor.turn()
            notifier.alive(time.monotonic())
        notifier.stopping()
        log.info("stopping")
        sensor.drain(lambda: notifier.alive(time.monotonic()))
    log.info("stopped")
    return READ_WHOLE


def _web(opened: ExitStack, plan: Plan, sensor: Sensor, log: Log) -> WebServer | None:
    """The HTTP face, its port bound: whatever refuses that is told before anything is started."""
    if not plan.settings.web.listen:
        return None
    return opened.enter_context(open_web(plan.settings.web, sensor, log))


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
