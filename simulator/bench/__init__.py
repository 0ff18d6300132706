"""The technician's bench: one simulated console with a broker and a bridge, driven by lines from a page or a pipe."""
