"""The HTTP face against clients that are slow, many, wrong or not known: a real server and raw sockets."""

import base64
import json
import socket
import ssl
import subprocess
import time
from functools import partial
from pathlib import Path

import bcrypt
import pytest

from sensor.web.config import WatchedConfig, WebConfigError
from sensor.web.server import HEAD_S
from tests.running import needs
from tests.service import SIEVE, Service, running
from tests.waiting import PATIENCE_S

PASSWORD = "correct horse"  # noqa: S105 - nobody else's
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
CAPTURE = f'[capture]\nfiles = ["{SIEVE}"]'


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def web_config(folder: Path, text: str) -> str:
    path = folder / "web.yml"
    path.write_text(text)
    path.chmod(0o600)
    return f'config_file = "{path}"'


def spoken(port: int, octets: bytes, timeout_s: float = PATIENCE_S, enough: bytes = b"\r\n\r\n") -> bytes:
    """What comes back until that is *enough*, the other side closes, or nothing came for *timeout_s* seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(octets)
        answer = b""
        try:
            while enough not in answer and (piece := connection.recv(65536)):
                answer += piece
        except OSError:
            return answer
        return answer


# ---- who may ask


def test_a_password_is_asked_for_and_its_file_is_read_anew(tmp_path: Path) -> None:
    with running(tmp_path, web=web_config(tmp_path, f"basic_auth_users:\n  prometheus: {HASH}\n")) as service:
        for path in ("/metrics", "/-/ready", "/api/v1/mailboxes", "/", "/nowhere"):
            assert service.ask(path).status == 401
        assert "basic" in service.ask("/metrics").headers["www-authenticate"].lower()
        assert service.ask("/metrics", headers=basic("prometheus", "wrong")).status == 401
        assert service.ask("/metrics", headers=basic("nobody", PASSWORD)).status == 401
        assert service.ask("/metrics", headers={"Authorization": "Basic ???"}).status == 401
        assert service.ask("/metrics", headers=basic("prometheus", PASSWORD)).status == 200
        other = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
        web_config(tmp_path, f"basic_auth_users:\n  prometheus: {other}\n")
        service.until(lambda: "web_config_reloaded" in service.log, "the new password")
        assert service.ask("/metrics", headers=basic("prometheus", PASSWORD)).status == 401
        assert service.ask("/metrics", headers=basic("prometheus", "another")).status == 200
        web_config(tmp_path, "basic_auth_users: [")
        service.until(lambda: "web_config_refused" in service.log, "the refusal")
        assert service.ask("/metrics", headers=basic("prometheus", "another")).status == 200
        assert PASSWORD not in service.log
        assert "$2b$" not in service.log


@pytest.mark.parametrize(
    "half", ["", "# to be written", "basic_auth_users: {}\n", "basic_auth_users:\n  prometheus: HASH\n"]
)
def test_a_file_that_is_being_written_opens_nothing(half: str, tmp_path: Path) -> None:
    certificate(tmp_path, "first")
    whole = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  prometheus: HASH\n"
    web_config(tmp_path, whole.replace("HASH", HASH))
    watched = WatchedConfig(str(tmp_path / "web.yml"))
    before, context = watched.current, watched.context
    web_config(tmp_path, half.replace("HASH", HASH))
    with pytest.raises(WebConfigError, match="restart the sensor if that is meant"):
        watched.look()
    assert not watched.look()
    assert (watched.current, watched.context) == (before, context)
    web_config(tmp_path, whole.replace("HASH", HASH) + "# and more\n")
    assert watched.look()


def certificate(folder: Path, name: str) -> None:
    subprocess.run(
        [
            needs("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "key.pem").chmod(0o600)


def test_tls_is_spoken_and_a_new_certificate_is_taken_up(tmp_path: Path) -> None:
    certificate(tmp_path, "first")
    web = web_config(tmp_path, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n")
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with running(tmp_path, web=web, context=context) as service:
        assert service.ask("/-/healthy").status == 200
        assert spoken(service.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 2)[:4] != b"HTTP"
        certificate(tmp_path, "second")
        service.until(lambda: "web_config_reloaded" in service.log, "the new certificate")
        service.context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        service.until(lambda: is_answered(service), "an answer under the new certificate")


def is_answered(service: Service) -> bool:
    """False while the server still shows the certificate that it had before."""
    try:
        return service.ask("/-/healthy").status == 200
    except ssl.SSLCertVerificationError:
        return False


# ---- hostile clients


def test_clients_that_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    with running(tmp_path, web="connections = 8") as service:
        silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(60)]
        for each in silent[:20]:
            each.send(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        try:
            for _ in range(5):
                began = time.monotonic()
                assert service.ask("/metrics").status == 200
                assert time.monotonic() - began < HEAD_S, "the silent ones were waited for"
            assert service.metric("mailsensor_http_connections") <= 9
            assert service.metric("mailsensor_http_rejected_connections_total", reason="full") > 0
        finally:
            for each in silent:
                each.close()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000, b"400"),
        (b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", b"413"),
        (b"GET /" + b"../" * 100 + b"etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /api/v1/mailboxes?limit=99999999999999999999 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /api/v1/transactions/%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
    ],
)
def test_what_is_wrong_is_answered_and_forgotten(tmp_path: Path, octets: bytes, status: bytes) -> None:
    with running(tmp_path) as service:
        assert spoken(service.port, octets).partition(b"\r\n")[0].split(b" ")[1] == status
        assert service.ask("/-/healthy").status == 200
        assert len(service.log) < 2_000


def test_paths_that_do_not_exist_make_no_series(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        for number in range(30):
            assert service.ask(f"/nowhere/{number}").status == 404
        # A rendered scrape is given out again for a while.
        counted = partial(service.metric, "mailsensor_http_requests_total", path="other", code="404")
        service.until(lambda: counted() >= 30, "all of them in a scrape")
        assert counted() == 30


# ---- the API


def read(service: Service) -> None:
    service.until(lambda: service.ask("/api/v1/alerts").json["total"] > 0, "an alert")


def test_lists_are_filtered_and_paged(tmp_path: Path) -> None:
    with running(tmp_path, CAPTURE) as service:
        read(service)
        page = service.ask("/api/v1/mailboxes?limit=1").json
        mailbox = page["items"][0]["mailbox"]
        assert (page["total"], page["offset"], len(page["items"])) == (1, 0, 1)
        assert service.ask("/api/v1/mailboxes?offset=1").json["items"] == []
        assert service.ask(f"/api/v1/mailboxes?mailbox={mailbox.upper()}").json["total"] == 1
        assert service.ask("/api/v1/mailboxes?domain=other.example").json["total"] == 0
        assert service.ask("/api/v1/mailboxes?min_auto=99").json["total"] == 0
        assert service.ask("/api/v1/mailboxes?since=2999-01-01").json["total"] == 0
        destination = service.ask("/api/v1/destinations?outside=true").json["items"][0]
        assert destination["by"] == mailbox
        assert service.ask(f"/api/v1/alerts?mailbox={mailbox}&status=firing").json["total"] > 0
        assert service.ask("/api/v1/alerts?status=resolved").json["total"] == 0
        for wrong in ("limit=0", "limit=1001", "offset=-1", "level=boss", "since=soon", "who=me", "limit=1&limit=2"):
            answer = service.ask(f"/api/v1/mailboxes?{wrong}")
            assert (answer.status, wrong.partition("=")[0] in answer.text) == (400, True)
        assert service.ask("/api/v1/transactions/nothing").status == 404


def test_a_mail_that_is_watched_for_has_to_be_named(tmp_path: Path) -> None:
    with running(tmp_path, CAPTURE) as service:
        for wrong in (
            "",
            "?message_id=",
            "?message_id=%3C%3E",
            f"?message_id={'x' * 999}",
            "?mailbox=ann@corp.example",
        ):
            answer = service.ask(f"/api/v1/transactions{wrong}")
            assert answer.status == 400
        assert "message_id is needed" in service.ask("/api/v1/transactions").text
        page = service.ask("/api/v1/transactions?message_id=%3Ca@corp.example%3E").json
        assert page == {"total": 0, "offset": 0, "items": []}


def test_the_description_describes_every_list(tmp_path: Path) -> None:
    with running(tmp_path, CAPTURE) as service:
        document = service.ask("/api/v1/openapi.json").json
        assert document["openapi"].startswith("3.1")
        assert "/api/v1/transactions/{id}" in document["paths"]
        text = json.dumps(document)
        for path, described in document["paths"].items():
            if "{" not in path:
                needed = "&".join(
                    f"{each['name']}=x" for each in described["get"]["parameters"] if each.get("required")
                )
                assert service.ask(f"{path}?{needed}").status == 200
                assert described["get"]["parameters"]
        for reference in {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}:
            assert reference.rpartition("/")[2] in document["components"]["schemas"]


def test_the_page_asks_nothing_of_others(tmp_path: Path) -> None:
    with running(tmp_path, CAPTURE) as service:
        read(service)
        page = service.ask("/")
        assert page.status == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for word in ("http://", "https://", "<script", "<img", "<link", "@import", "url("):
            assert word not in page.text
        assert "Mailboxes that forward" in page.text


def test_the_page_says_who_forwards_to_whom_what_share_and_what_was_not_seen(tmp_path: Path) -> None:
    hidden = SIEVE.parent.parent / "lab_starttls" / "input.pcap"
    with running(tmp_path, f'[capture]\nfiles = ["{SIEVE}", "{hidden}"]') as service:
        service.until(lambda: "1 session in TLS could not be read" in service.ask("/").text, "the session")
        service.until(lambda: "fay@corp.example" in service.ask("/").text, "the mailbox")
        page = service.ask("/").text
        row = next(line for line in page.splitlines() if line.startswith("<tr><td>fay@corp.example"))
        assert "<td>fay.home@dst.example</td>" in row
        assert "<td>100 % (15 to 100 %)</td><td>user</td><td>2026-11-22 02:17</td>" in row
