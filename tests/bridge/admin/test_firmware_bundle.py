"""Test that only bundles that boards can use, and that a trusted key has signed, are taken in."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from bridge.admin.firmware_bundle import make_key, read_bundle, read_key
from bridge.cli import main
from bridge.errors import TrivoxError
from tests.bridge.office import Office
from tests.support.bundles import bundle
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Make a trusted key, and bundles 1.1.0 and 1.2.0."""
    office = Office(tmp_path)
    office.do("site", "set", "demo", "--timezone", "UTC")
    office.do("firmware", "trust", make_key(tmp_path / "release.key"))
    for version in ("1.1.0", "1.2.0"):
        office.do("firmware", "add", bundle(tmp_path, version))
    return office


def refusal(office: Office, path: Path) -> str:
    result = office.run("firmware", "add", path)
    assert (result.status, result.err.count("\n")) == (1, 1)
    return result.err


def test_bad_bundles_are_refused(office: Office) -> None:
    folder = office.folder
    assert "A different firmware 1.1.0" in refusal(office, bundle(folder, "1.1.0", {"console/app.mpy": b"other"}))
    make_key(folder / "other.key")
    assert "not signed by a key" in refusal(office, bundle(folder, "1.3.0", key="other.key"))
    (folder / "text").write_text("no bundle", "utf-8")
    assert "is not a bundle, or is damaged" in refusal(office, folder / "text")
    assert "does not belong on a console" in refusal(office, bundle(folder, "1.3.0", {"main.py": b"print()"}))
    assert "cannot be read" in refusal(office, folder / "nothing")
    os.mkfifo(folder / "pipe")
    assert "is not a file" in refusal(office, folder / "pipe")


APP = f"{hashlib.sha256(b'app').hexdigest()} 3 console/app.mpy".encode()
MANIFESTS = [
    b"",
    b"trivox-firmware",
    b"trivox-firmware 1.3.0\nno digest\n",
    b"trivox-firmware 1.3.0\n" + b"0" * 64 + b" -1 console/app.mpy\n",
    b"trivox-firmware 1.3.0\n" + b"0" * 64 + b" 3000  console/app.mpy\n",
    "trivox-firmware 1.3.0\n\u202econsole/app.mpy\n".encode(),
    b"\xff\xfe",
    b"trivox-firmware 1.3.0\n",
    b"trivox-firmware 1.3.0\n" + APP,
    b"trivox-firmware 1.3.0\r\n" + APP + b"\r\n",
    b"trivox-firmware 1.3.0\n" + APP + b"\x0b\n",
    b"trivox-firmware 1.3.0\n" + (APP + b"\n") * 2,
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_a_malformed_manifest_is_damaged_though_it_is_signed(office: Office, manifest: bytes) -> None:
    path = office.folder / "malformed"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest", manifest)
        archive.writestr("signature", read_key(office.folder / "release.key").sign(manifest))
        archive.writestr("console/app.mpy", b"app")
    assert "damaged" in refusal(office, path)


def test_a_manifest_that_no_board_has_room_for_is_refused(office: Office) -> None:
    path = office.folder / "long"
    files = {f"console/f{number}.mpy": b"" for number in range(100)}
    lines = "".join(f"{hashlib.sha256(b'').hexdigest()} 0 {name}\n" for name in files)
    manifest = f"trivox-firmware 1.3.0\n{lines}".encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest", manifest)
        archive.writestr("signature", read_key(office.folder / "release.key").sign(manifest))
        for name, data in files.items():
            archive.writestr(name, data)
    assert "is too large for a bundle" in refusal(office, path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_compressed_data_is_told(office: Office, compression: int) -> None:
    path = office.folder / "damaged"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("manifest", "trivox-firmware 1.3.0\n" * 100)
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(20)
    path.write_bytes(data)
    assert "is not a bundle, or is damaged" in refusal(office, path)


def test_no_damage_to_a_bundle_goes_beyond_a_sentence(office: Office) -> None:
    path = bundle(office.folder, "1.3.0")
    whole = path.read_bytes()
    key = read_key(office.folder / "release.key").public_key()
    chance = seeded(12)
    for _ in range(2_000):
        data = bytearray(whole[: chance.choice([len(whole), chance.randrange(len(whole))])])
        for _ in range(chance.randrange(1, 8) if data else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = read_bundle(path, bytes(data), [key])
        except TrivoxError:
            continue
        assert found == read_bundle(path, whole, [key])  # the damage lay where nothing is read


def test_an_offset_beyond_all_is_damage(office: Office) -> None:
    path = office.folder / "damaged"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest", b"trivox-firmware 1.1.0\n")
        archive.filelist[0].header_offset = 2**64 - 1
    assert "is not a bundle, or is damaged" in refusal(office, path)


def test_a_bundle_with_another_file_in_it_is_damaged(office: Office) -> None:
    good = bundle(office.folder, "1.3.0")
    altered = office.folder / "altered"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(altered, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"other" if name == "console/version.mpy" else source.read(name))
    assert "console/version.mpy differs from its manifest" in refusal(office, altered)
    assert "1.3.0" in office.do("firmware", "add", good)
    assert office.do("firmware", "list").split() == ["1.1.0", "1.2.0", "1.3.0"]


def test_only_its_owner_may_read_a_key_and_it_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "release.key"
    assert main.run(["firmware", "key", str(key)]) == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert main.run(["firmware", "key", str(key)]) == 1
    assert "is there already" in capsys.readouterr().err
    key.chmod(0o644)
    assert main.run(["firmware", "build", "--key", str(key)]) == 1
    assert "can be read by others" in capsys.readouterr().err
    key.chmod(0o600)
    assert main.run(["firmware", "build", "--key", f"{key}.pub"]) == 1
    assert "is the public key, which bridges trust" in capsys.readouterr().err
    assert main.run(["firmware", "build", "--key", str(key), "--source", str(tmp_path)]) == 1
    assert "give the folder `firmware` of a clone" in capsys.readouterr().err


def test_a_bundle_of_this_clone_holds_the_firmware_except_what_starts_it(tmp_path: Path) -> None:
    make_key(tmp_path / "release.key")
    out = tmp_path / "it.bundle"
    assert main.run(["firmware", "build", "--key", str(tmp_path / "release.key"), "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as file:
        names = set(file.namelist())
    assert {"console/app.mpy", "console/update.mpy", "boards/pico_w.mpy", "manifest", "signature"} <= names
    assert not any(name.startswith(("main", "boot", "slots")) for name in names)
