"""Measurements against the stock, each in one run: ``python -m bench.<what>`` or ``make bench-<what>``."""
