"""How a command ends: with a status, and with one line for each error that a user can put right."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def status_of(work: Callable[[], int]) -> int:
    """The exit status of *work*. Every error that a user can put right becomes one line, never a traceback."""
    from sensor.errors import UserError

    try:
        status = work()
        # What is still in the buffer may be what finds out that its reader is gone.
        sys.stdout.flush()
    except UserError as error:
        return _complain(str(error))
    except BrokenPipeError:
        return _reader_went_away()
    except OSError as error:
        if error.filename is None:
            _let_output_go()
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    except ImportError as error:
        if "_core" not in str(error):
            raise
        return _complain(
            f"the Rust core is not built for this Python ({error}); install the package, or build it in place"
        )
    except KeyboardInterrupt:
        return 130
    return status


def open_closed_streams() -> None:
    """Started with a standard stream closed (``>&-``), Python has none at all: what is written there goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process


def _complain(message: str) -> int:
    from sensor.log import printable

    print(f"mailsensor: {printable(message)}", file=sys.stderr)
    return 1


def _reader_went_away() -> int:
    """As in ``mailsensor ... | head``: end quietly, with the status that other tools end with on a closed pipe."""
    _let_output_go()
    return 141


def _let_output_go() -> None:
    """What is still in the buffer goes nowhere: Python would try once more at its end, and end with status 120."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
