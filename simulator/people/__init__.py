"""Hands that press: sellers and customers, and the diary of what they did."""
