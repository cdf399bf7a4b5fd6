#!/usr/bin/env python3
"""
Build the lab, run its cases, and write each capture with its story and its truth to `pcaps/lab_<case>/`.

    make.py                 all cases
    make.py plain lmtp ...  these cases
    make.py --list          their names

Wants root on Debian bookworm with the packages named in README.md. Everything happens in namespaces of its own:
network, mounts, host name and processes. When the script ends, however it ends, the kernel ends the servers, and the
namespaces go with them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from cases import CASES
from lab import LOGS, Case, Lab
from network import ROOT
from readme import to_readme
from recorder import record, scrub_pcapng
from truth import to_toml

REPOSITORY = Path(__file__).resolve().parents[2]
EXIM_PACKAGES = ("exim4-daemon-light", "exim4-base", "libidn12")
INSIDE = "--inside"


def main() -> int:
    """Run from the outside: fetch what is missing, then start again within the namespaces."""
    options = _arguments()
    if options.list:
        return _list_cases()
    if options.inside is not None:
        return _run_cases(options.inside, options.cases)
    exim = _unpacked_exim(REPOSITORY / ".cache" / "lab" / "exim")
    namespaces = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return os.execvp("unshare", [*namespaces, sys.executable, __file__, INSIDE, str(exim), *options.cases])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names of cases, without lab_; all where none is given")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument(INSIDE, metavar="EXIM", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _unpacked_exim(folder: Path) -> Path:
    """Debian's Exim conflicts with its Postfix, so it is unpacked and never installed. Fetched once."""
    if not (folder / "usr/sbin/exim4").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as download:
            subprocess.run(["apt-get", "download", "-q", *EXIM_PACKAGES], cwd=download, check=True)
            for package in Path(download).glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    return folder


def _list_cases() -> int:
    for case in CASES:
        print(f"{case.name.removeprefix('lab_'):28} {case.summary}")
    return 0


def _run_cases(exim: Path, wanted: list[str]) -> int:
    known = {case.name.removeprefix("lab_"): case for case in CASES}
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"no such case: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    lab = Lab(exim)
    failed = []
    for name in wanted or known:
        try:
            _make(lab, known[name])
            print(f"{name}: made", flush=True)
        except Exception:  # noqa: BLE001 - it is told, the exit status says so, and the other cases go on
            traceback.print_exc()
            last_lines = (f"{key}: {line}" for key in LOGS for line in lab.log(key).splitlines()[-12:])
            print(*last_lines, sep="\n", file=sys.stderr)
            failed.append(name)
            lab.forget_queues()
    if failed:
        print(f"failed: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _make(lab: Lab, case: Case) -> None:
    lab.mark_logs()
    capture = ROOT / "capture"
    host = lab.hosts[case.recording.on] if case.recording.on else None
    with record(case.recording, host, capture):
        truth = case.act(lab)
        lab.settle()
    lab.confirm(truth)
    lab.forget_queues()
    if case.recording.tool == "dumpcap":
        scrub_pcapng(capture)
    folder = REPOSITORY / "pcaps" / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _write_capture(capture, folder / case.recording.file_name, case.recording.compress)
    (folder / "case.toml").write_text(to_toml(case.name, case.summary, case.recording.file_name, truth))
    (folder / "README.md").write_text(to_readme(case, capture, truth))
    capture.unlink()


def _write_capture(source: Path, target: Path, compress: str) -> None:
    match compress:
        case "gz":
            target.write_bytes(subprocess.run(["gzip", "-9nc", str(source)], check=True, stdout=subprocess.PIPE).stdout)
        case "zst":
            target.write_bytes(
                subprocess.run(["zstd", "-q", "-19", "-c", str(source)], check=True, stdout=subprocess.PIPE).stdout
            )
        case _:
            shutil.copyfile(source, target)


if __name__ == "__main__":
    sys.exit(main())
