"""The technician's bench: one simulated console with broker and bridge behind it, driven by lines from page or pipe."""
