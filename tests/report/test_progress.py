"""The progress bar takes any file name and any count."""

import io

from sensor.report.progress import Bar


def test_names_are_text_and_unknown_totals_are_allowed() -> None:
    stream = io.StringIO()
    with Bar(stream) as bar:
        bar.update(0, 0, "-")
        bar.update(5, 10, "/captures/[red]\x1b[31m.pcap")
        bar.update(20, 10, "")
    assert "\x1b[31m" not in stream.getvalue()
