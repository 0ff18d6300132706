"""The model of surveys, epochs and consoles: rules, dates and periods, without database, I/O or clock."""
