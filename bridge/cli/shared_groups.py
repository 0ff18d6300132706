"""Define groups of commands that several modules share; the first one that is loaded adds the group."""

from __future__ import annotations

import typer

site_app = typer.Typer(help="Set sites' time zones, list sites, and remove them.", no_args_is_help=True)
checkout_point_app = typer.Typer(help="Place consoles at checkout points.", no_args_is_help=True)
shift_app = typer.Typer(help="Import who was on shift, list shifts, and remove them.", no_args_is_help=True)
counts_app = typer.Typer(help="Import transactions and visitors, list them, and remove them.", no_args_is_help=True)
seller_app = typer.Typer(help="List sellers, and remove those without shifts.", no_args_is_help=True)
source_app = typer.Typer(help="Enrol tills and people counters, list and revoke them.", no_args_is_help=True)
viewer_app = typer.Typer(
    help="Enrol people and programs that may only read, list and revoke them.", no_args_is_help=True
)
console_app = typer.Typer(help="Enrol, flash, update, list, retire and remove consoles.", no_args_is_help=True)
question_app = typer.Typer(
    help="Define key questions, list them, remove them, print them as cards, and estimate their silent weights.",
    no_args_is_help=True,
)
target_app = typer.Typer(
    help="Set targets of sites, checkout points, sellers and key questions, list and remove them.", no_args_is_help=True
)
alarms_app = typer.Typer(help="List operational alarms, acknowledge, close and comment on them.")
alarm_recipient_app = typer.Typer(help="Decide who is told of alarms, and try it out.", no_args_is_help=True)
settings_app = typer.Typer(help="Choose consoles' settings, and list them.", no_args_is_help=True)


def join(app: typer.Typer, name: str, group: typer.Typer) -> None:
    """Add the group, unless another module has added it."""
    if all(added.typer_instance is not group for added in app.registered_groups):
        app.add_typer(group, name=name)
