"""Scenarios: read the file, plan each site's day, write its events or play them live."""
