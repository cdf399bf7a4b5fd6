"""The incident report in a real browser: opens without a complaint and asks for nothing, whatever mail put into it."""

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sensor.report.html import render
from tests.report import scene
from tests.running import needs


class Site(http.server.ThreadingHTTPServer):
    """A folder as a web site that remembers what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: Site

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class calls it so
        self.server.asked.append(self.path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site").mkdir()
    with Site(tmp_path / "site") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opened(site: Site, document: bytes, tmp_path: Path) -> tuple[str, str]:
    """What the browser made of the page: its DOM, and what it said on the console."""
    (site.folder / "page.html").write_bytes(document)
    done = subprocess.run(
        [
            needs("chromium", "chromium"),
            "--headless",
            "--no-sandbox",  # it has none for root, as whom tests may run
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--dump-dom",
            f"http://127.0.0.1:{site.server_address[1]}/page.html",
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), "\n".join(said)


def test_the_browser_shows_the_page_without_a_complaint_and_asks_for_nothing_else(site: Site, tmp_path: Path) -> None:
    dom, said = opened(site, render(scene.page()), tmp_path)
    assert "4 mailboxes forward mail automatically to outside" in dom
    assert said == ""
    assert site.asked == ["/page.html"]


def test_markup_in_mail_stays_text_in_the_browser(site: Site, tmp_path: Path) -> None:
    evil = '"><img src="/evil.png"><script>document.title="evil"</script><style>@import "/evil.css"</style>'
    facts = msgspec.structs.replace(scene.FACTS, domains=(evil,), passed_over=(evil,), sensor=evil)
    hostile = scene.forward(f"{evil}@corp.example", f"{evil}@dst.example", scene.at(3), line=("x", evil, evil))
    dom, said = opened(site, render(scene.page(facts=facts, more=(hostile,))), tmp_path)
    assert "&lt;img src=" in dom
    assert said == ""
    assert site.asked == ["/page.html"]


def test_a_page_that_did_ask_would_be_noticed(site: Site, tmp_path: Path) -> None:
    """The two tests above would see a request, and would see the policy stop one."""
    document = render(scene.page())
    asking = document.replace(b"</main>", b'<img src="/evil.png"></main>')
    _, said = opened(site, asking, tmp_path)
    assert "Content Security Policy" in said
    assert site.asked == ["/page.html"]
    start = asking.index(b'<meta http-equiv="Content-Security-Policy"')
    unguarded = asking[:start] + asking[asking.index(b">", start) + 1 :]
    # On a busy machine a browser may print the page before it asked for the picture.
    for _ in range(5):
        opened(site, unguarded, tmp_path)
        if "/evil.png" in site.asked:
            break
    assert "/evil.png" in site.asked
