"""The `trivox` command: a module for each group of subcommands, listed in `command_table.py`."""
