"""A technician's work: doctor, flashing, broker files, restore."""
