"""The house keeps its order: who knows whom in Rust and at the border. Contracts for Python are in pyproject.toml."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "sensor" / "core"
WIRE = CORE / "wire" / "src"

COMMON = {"anomaly", "counters", "frame", "limits"}
"""What every module of the wire crate may use."""

MAY_USE: dict[str, set[str]] = {
    "engine": {"decoder", "interest", "record", "share", "smtp", "tcp"},
    "inline": {"interest", "record", "smtp", "tcp"},
    "share": {"tcp"},
    "decoder": {"ip", "link", "tcp"},
    "ip": {"link"},
    "link": set(),
    "tcp": set(),
    "smtp": {"content", "interest", "message", "record", "structure", "tcp"},
    "content": {"header", "interest", "message", "mime", "structure"},
    "structure": {"message", "record"},
    "mime": {"header", "interest", "message"},
    "header": {"interest", "message"},
    "record": {"message", "tcp"},
    "message": set(),
    "interest": set(),
    "anomaly": set(),
    "counters": set(),
    "frame": set(),
    "limits": set(),
}

IMPURE = ("std::env", "std::fs", "std::io", "std::process", "std::thread", "Instant::now", "SystemTime", "TcpStream")


def production_code(path: Path) -> str:
    """The text of a Rust file without comments and without the tests at its foot."""
    text, _, _ = path.read_text().partition("#[cfg(test)]\nmod tests")
    return re.sub(r"//.*", "", text)


def wire_files() -> list[Path]:
    """The files of the wire crate but those that are compiled for tests alone."""
    files = sorted(WIRE.rglob("*.rs"))
    test_modules = {name for path in files for name in re.findall(r"#\[cfg\(test\)\]\s*mod (\w+);", path.read_text())}
    return [path for path in files if test_modules.isdisjoint(path.relative_to(WIRE).with_suffix("").parts)]


def module_of(path: Path) -> str:
    return path.relative_to(WIRE).parts[0].removesuffix(".rs")


def modules_used(code: str) -> set[str]:
    """The modules of the crate that the text names: ``crate::a::b`` and ``crate::{a::b, c}``."""
    paths = re.findall(r"\bcrate::(\w+)", code)
    groups = re.findall(r"\bcrate::\{([^;]*)\};", code)
    return {*paths, *(name for group in groups for name in re.findall(r"(?:^|,)\s*(\w+)", group))}


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("use crate::tcp::seq::SeqNumber;", {"tcp"}),
        ("use crate::{anomaly::Anomaly, limits};", {"anomaly", "limits"}),
        ("let x = crate::link::decode(y);", {"link"}),
        ("use super::x; // crate::smtp", set()),
    ],
)
def test_used_modules_are_recognised(code: str, modules: set[str]) -> None:
    assert modules_used(re.sub(r"//.*", "", code)) == modules


def test_every_wire_module_has_its_place() -> None:
    """A new module is added to the table above, and thereby thought about."""
    assert {module_of(path) for path in wire_files()} - {"lib"} == set(MAY_USE)


@pytest.mark.parametrize("path", wire_files(), ids=lambda path: str(path.relative_to(WIRE)))
def test_wire_module_uses_only_what_stands_below_it(path: Path) -> None:
    module = module_of(path)
    allowed = MAY_USE.get(module, set()) | COMMON | {module}
    assert modules_used(production_code(path)) <= allowed


@pytest.mark.parametrize("path", wire_files(), ids=lambda path: str(path.relative_to(WIRE)))
def test_wire_is_pure(path: Path) -> None:
    """Bytes and time come in as arguments, so that a replay gives what live gave."""
    code = production_code(path)
    assert [name for name in IMPURE if name in code] == []


@pytest.mark.parametrize(
    ("file", "name", "use"),
    [
        ("anomaly.rs", r'(?m)^ {4}(\w+) = "', r"Anomaly::(\w+)"),
        ("counters.rs", r"(?m)^ {4}(\w+),$", r"\.\s*(\w+)"),
        ("limits.rs", r"(?m)^ {4}(\w+): [0-9]", r"\.\s*(\w+)"),
    ],
)
def test_everything_declared_is_used(file: str, name: str, use: str) -> None:
    """An anomaly that nothing notes, a counter that nothing counts or a limit that nothing obeys would be a promise."""
    declared = set(re.findall(name, (WIRE / file).read_text()))
    others = (path for path in wire_files() if path.name != file)
    used = {found for path in others for found in re.findall(use, production_code(path))}
    assert declared
    assert declared - used == set()


@pytest.mark.parametrize(("crate", "known"), [("wire", set()), ("capture", {"wire"})])
def test_pure_crates_know_no_python(crate: str, known: set[str]) -> None:
    """Only the binding crate knows PyO3, and of the project's crates each knows those below it."""
    manifest = (CORE / crate / "Cargo.toml").read_text()
    assert "pyo3" not in manifest
    assert set(re.findall(r'^(\w+) = \{ path = "\.\./', manifest, re.MULTILINE)) == known


def unsafe_places(path: Path) -> list[tuple[int, bool]]:
    """Lines of a Rust file on which ``unsafe`` stands as a keyword, each with whether a reason stands above it."""
    lines = path.read_text().splitlines()
    places = []
    for number, line in enumerate(lines):
        if re.search(r"\bunsafe\b(?!_)", re.sub(r'//.*|"[^"]*"', "", line)):
            above = number - 1
            while above >= 0 and lines[above].strip().startswith("//"):
                above -= 1
            reason = lines[above + 1 : number]
            places.append((number + 1, bool(reason) and reason[0].strip().startswith("// SAFETY: ")))
    return places


def test_unchecked_code_stands_in_live_capture_alone_and_each_piece_says_why_it_is_sound() -> None:
    """What talks to the kernel about shared memory has no other way; everything else has."""
    sources = [path for path in CORE.rglob("*.rs") if "target" not in path.relative_to(CORE).parts]
    found = {path.relative_to(CORE).as_posix(): places for path in sources if (places := unsafe_places(path))}
    assert set(found) == {"capture/src/live/mapping.rs", "capture/src/live/sys.rs"}
    assert [(path, line) for path, places in found.items() for line, has_reason in places if not has_reason] == []


def imports_core(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if any("_core" in (*module.split("."), *name.split(".")) for name in names):
            return True
    return False


def test_only_taps_import_the_core() -> None:
    """So mail from a relay meets the same header code as captured mail."""
    importers = {
        path.relative_to(ROOT / "sensor").parts[0] for path in (ROOT / "sensor").rglob("*.py") if imports_core(path)
    }
    assert importers == {"taps"}
