"""Make certificates for the broker of a test."""

import subprocess
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
SIGNED = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "names")


def make_certificates(folder: Path) -> Path:
    """Make an authority, and signed by it server.pem and server.key for 127.0.0.1; return the authority's PEM file."""
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for words in (
        ("req", "-x509", *CURVE, "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"),
        ("req", *CURVE, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"),
        ("x509", "-req", "-in", "server.csr", *SIGNED, "-out", "server.pem"),
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem"
