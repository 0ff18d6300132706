"""Transactions and visitors, and the surveys that they tell of, from sums by day and month."""
