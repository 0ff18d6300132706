"""Sellers and customers who press the buttons, and the diary of what they did."""
