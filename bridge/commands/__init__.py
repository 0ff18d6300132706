"""The host's subcommands: each module adds its own to the application."""
