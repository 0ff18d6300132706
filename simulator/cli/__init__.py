"""The subcommands that the simulator adds to `trivox`, listed in `COMMANDS`."""

COMMANDS = {
    "run": "simulator.cli.run",
    "simulate": "simulator.cli.simulate",
}
"""The module that adds each subcommand; its `register` takes the application."""
