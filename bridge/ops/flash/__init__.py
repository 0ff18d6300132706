"""Compile the firmware, bundle it for updates over the air, and flash boards with it."""

from bridge.project_files import project_folder

SOURCE = project_folder("firmware")  # the root of a board's filesystem
