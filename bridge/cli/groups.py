"""Groups of commands that several modules add to: whichever is loaded brings the group."""

from __future__ import annotations

import typer

console_app = typer.Typer(help="Consoles.", no_args_is_help=True)
question_app = typer.Typer(help="Key questions.", no_args_is_help=True)


def join(app: typer.Typer, name: str, group: typer.Typer) -> None:
    """Add the group, unless another of its modules has."""
    if all(added.typer_instance is not group for added in app.registered_groups):
        app.add_typer(group, name=name)
