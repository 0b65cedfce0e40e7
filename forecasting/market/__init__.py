"""Prices: the CSV contract, exchange calendars, and their download."""
