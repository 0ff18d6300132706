"""Cameras of checkout points, and the archives that keep their video: Frigate, MediaMTX, and others by a template."""
