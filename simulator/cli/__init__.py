"""The subcommands that the simulator adds to `trivox`, listed in `command_table.py`."""
