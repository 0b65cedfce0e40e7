"""Forecasters: what a model reads, and what it makes of it."""
