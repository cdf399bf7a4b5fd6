"""Two sections of different byte order in one file."""

from tests.builders import Capture, Dialogue, files, frames_of


def make() -> Capture:
    """See README.md."""
    made = frames_of(Dialogue.plain().flow().segments)
    first, second = files.pcapng(made[:9]), files.pcapng(made[9:], order=">")
    return Capture(
        first + second, ".pcapng", Dialogue.plain().transcript() + "\n-- the second section starts after frame 9"
    )
