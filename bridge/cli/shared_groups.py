"""Define groups of commands that several modules share; the first one that is loaded adds the group."""

from __future__ import annotations

import typer

console_app = typer.Typer(help="Enrol, flash, update and list consoles.", no_args_is_help=True)
question_app = typer.Typer(help="Define key questions, list them, and print them as cards.", no_args_is_help=True)
settings_app = typer.Typer(help="Choose consoles' settings, and list them.", no_args_is_help=True)


def join(app: typer.Typer, name: str, group: typer.Typer) -> None:
    """Add the group, unless another module has added it."""
    if all(added.typer_instance is not group for added in app.registered_groups):
        app.add_typer(group, name=name)
