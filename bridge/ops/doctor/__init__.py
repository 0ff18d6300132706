"""Check an installation: its database, host, broker and each console."""
