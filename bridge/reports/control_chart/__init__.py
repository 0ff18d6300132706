"""Control charts: figures over time, with limits and signals."""
