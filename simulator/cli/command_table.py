"""The subcommands of the simulator, and the module that adds each to `trivox`."""

COMMANDS = {
    "micropython": "simulator.cli.micropython",
    "run": "simulator.cli.run",
    "simulate": "simulator.cli.simulate",
}
"""Each subcommand's module; its `register(app)` adds the command."""
