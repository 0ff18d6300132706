"""`trivox firmware`: versions of the firmware, signed, for updates over the air."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.admin.bundle_folder import Bundles
from bridge.admin.firmware_bundle import make_key, read_key
from bridge.cli.options import DATABASE, Database
from bridge.errors import TrivoxError
from bridge.ops.flash import SOURCE
from bridge.ops.flash.build_bundle import build

firmware_app = typer.Typer(help="Versions of the firmware, for updates over the air.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(firmware_app, name="firmware")


@firmware_app.command("key")
def firmware_key(
    file: Annotated[Path, typer.Argument(readable=False, help="The private key, to be kept secret.")],
) -> None:
    """Make a key to sign versions with; its public half is put beside it, as FILE.pub."""
    public = make_key(file)
    sys.stdout.write(f"Keep {file} secret; bridges are to trust {public}.\n")


@firmware_app.command("trust")
def firmware_trust(
    public_key: Annotated[Path, typer.Argument(readable=False, metavar="FILE.pub")], database: Database = DATABASE
) -> None:
    """Take versions signed by this key, from now on."""
    name = Bundles(database).trust(public_key)
    sys.stdout.write(f"Firmware signed by {public_key} is trusted (key {name}).\n")


@firmware_app.command("build")
def firmware_build(
    key: Annotated[Path, typer.Option(readable=False, help="The key to sign with, of `trivox firmware key`.")],
    out: Annotated[Path | None, typer.Option(help="The bundle; without: trivox-VERSION.bundle.")] = None,
    source: Annotated[Path, typer.Option(help="The firmware's folder.", show_default=False)] = SOURCE,
) -> None:
    """Compile the firmware of this clone, and sign it, into one file."""
    version, bundle = build(read_key(key), source)
    out = out or Path(f"trivox-{version}.bundle")
    try:
        out.write_bytes(bundle)
    except OSError as error:
        raise TrivoxError(f"{out} cannot be written ({error.strerror}): give another --out.") from error
    sys.stdout.write(f"Firmware {version} is in {out}; take it to a bridge by: trivox firmware add {out}\n")


@firmware_app.command("add")
def firmware_add(bundle: Annotated[Path, typer.Argument(readable=False)], database: Database = DATABASE) -> None:
    """Take a version in, if a trusted key has signed it: consoles may then be updated to it."""
    version = Bundles(database).add(bundle).version
    sys.stdout.write(f"Firmware {version} is here: trivox console update --to {version} --percent 10\n")


@firmware_app.command("list")
def firmware_list(database: Database = DATABASE) -> None:
    """Show the versions that consoles may be updated to."""
    for version in Bundles(database).versions():
        sys.stdout.write(f"{version}\n")
