"""Forecasts on record before their outcome, scored as it comes."""
