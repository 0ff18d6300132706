"""Make certificates for the broker of a test."""

import subprocess
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
SIGNED = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
NAMES = "DNS:localhost,IP:127.0.0.1"


def make_certificates(folder: Path, names: str = NAMES, days: int = 30) -> Path:
    """Make an authority, and signed by it server.pem and server.key for `names`; return the authority's PEM file."""
    (folder / "names").write_text(f"subjectAltName={names}\n")
    for words in (
        ("req", "-x509", *CURVE, "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"),
        ("req", *CURVE, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"),
        ("x509", "-req", "-in", "server.csr", *SIGNED, "-days", str(days), "-out", "server.pem"),
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem"
