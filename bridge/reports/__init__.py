"""Present the data to people: key figures, report rows, tables, the live view, printed cards."""
