"""Certificates for one test, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.running import needs


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for *name* with its key, which is its own authority: two files."""
    openssl = needs("openssl", "openssl")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", str(key), "-out", str(cert))
    subprocess.run([openssl, "req", *kind, *subject, *files], check=True, capture_output=True)
    cert.chmod(0o644)
    key.chmod(0o600)
    return cert, key
