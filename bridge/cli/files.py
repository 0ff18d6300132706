"""`trivox files`: say where firmware, schemas and pages are on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.cli.output import print_line
from bridge.errors import UsageError
from bridge.ops.flash.compile import version_of
from bridge.project_files import compiled_firmware, project_folder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("files")(files)


def files(
    name: Annotated[
        str | None, typer.Argument(help="Print only the folder of `pages`, `schema`, `firmware` or `compiled`.")
    ] = None,
) -> None:
    """Print the folders with the pages, the schemas and the firmware that belong to this trivox."""
    version = version_of()
    folders = {
        "pages": (project_folder(), "begin with README.md; wiring is in firmware/boards"),
        "schema": (project_folder("schema"), "each message's JSON Schema, with examples"),
        "firmware": (project_folder("firmware"), f"version {version}, as source"),
        "compiled": (compiled_firmware(version), f"version {version}, as boards get it"),
    }
    here = {each: (folder, what) for each, (folder, what) in folders.items() if folder is not None}
    if name is None:
        for each, (folder, what) in here.items():
            print_line(f"{each:8}  {folder}  ({what})")
    elif name in here:
        print_line(str(here[name][0]))
    else:
        raise UsageError(f"There is no folder {name!r} here: give one of {', '.join(here)}.")
