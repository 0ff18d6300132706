"""`trivox firmware`: make, sign, trust and add firmware versions for updates over the air."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge import private_files
from bridge.admin.bundle_folder import Bundles
from bridge.admin.firmware_bundle import make_key, read_key
from bridge.cli.options import DATABASE, Database
from bridge.cli.output import print_line, warn
from bridge.ops.flash import SOURCE
from bridge.ops.flash.build_bundle import build
from bridge.store.connection import require

firmware_app = typer.Typer(help="Make, sign, trust and add firmware versions.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(firmware_app, name="firmware")


@firmware_app.command("key")
def firmware_key(
    file: Annotated[Path, typer.Argument(readable=False, help="The file for the private key; keep it secret.")],
) -> None:
    """Make a key to sign versions with. Its public half is written to FILE.pub."""
    public = make_key(file)
    print_line(f"Keep {file} secret; make bridges trust {public} with `trivox firmware trust`.")


@firmware_app.command("trust")
def firmware_trust(
    public_key: Annotated[Path, typer.Argument(readable=False, metavar="FILE.pub")], database: Database = DATABASE
) -> None:
    """Trust versions signed with this key from now on."""
    require(database)
    name = Bundles(database).trust(public_key)
    print_line(f"Firmware signed with {public_key} is now trusted (key {name}).")


@firmware_app.command("build")
def firmware_build(
    key: Annotated[Path, typer.Option(readable=False, help="The private key made by `trivox firmware key`.")],
    out: Annotated[Path | None, typer.Option(help="The file to write. [default: trivox-VERSION.bundle]")] = None,
    source: Annotated[Path, typer.Option(help="Another firmware's folder.", show_default=False)] = SOURCE,
) -> None:
    """Put the compiled firmware into one signed file, a bundle."""
    version, bundle = build(read_key(key), source)
    out = out or Path(f"trivox-{version}.bundle")
    private_files.write(out, bundle)
    print_line(f"Firmware {version} is in {out}; add it to a bridge with: trivox firmware add {out}")


@firmware_app.command("add")
def firmware_add(bundle: Annotated[Path, typer.Argument(readable=False)], database: Database = DATABASE) -> None:
    """Add a version that consoles may be updated to. It must be signed with a trusted key."""
    require(database)
    version = Bundles(database).add(bundle).version
    print_line(f"Firmware {version} is added; update consoles with: trivox console update --to {version} --percent 10")


@firmware_app.command("list")
def firmware_list(database: Database = DATABASE) -> None:
    """List the versions that consoles may be updated to."""
    require(database)
    bundles = Bundles(database)
    for version in bundles.versions():
        print_line(version)
    for path in bundles.strange_files():
        warn(f"{path} is not used, as no command gives a file that name: remove it.")
