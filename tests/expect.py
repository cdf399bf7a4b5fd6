"""
Writes the exact records of captures beside them: ``python -m tests.expect [CASE ...]``.

Only after the truth: a case whose records are untrue is left as it is and named.
"""

from __future__ import annotations

import sys

from tests.sensing import told_of
from tests.test_pcaps import CASES, capture_of, settings_of, truth_of
from tests.truth import untruths


def main(names: list[str]) -> int:
    """Write ``expected.jsonl`` of the cases *names*, or of all; the number of those whose records are untrue."""
    untrue = 0
    for case in CASES:
        if names and case.name not in names:
            continue
        truth = truth_of(case)
        told = told_of(capture_of(case), settings=settings_of(truth))
        if found := untruths(truth, told):
            untrue += 1
            sys.stderr.write(f"{case.name}: {found[0]}\n")
            continue
        (case / "expected.jsonl").write_bytes(told.lines)
        (case / "expected.actual.jsonl").unlink(missing_ok=True)
    return untrue


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 125))
