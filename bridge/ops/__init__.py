"""Operate an installation: diagnose it, flash consoles, write the broker's files, restore the database."""
