"""Compute the expected KPIs from the diary, without any code of the bridge."""
