"""Numbers for people: KPIs, report rows, tables, the live view, printed cards."""
