"""Check the installation: database, host, broker and each console."""
