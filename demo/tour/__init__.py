"""The walk from roster to marks, played without a person on a demo of its own: ``python -m demo.tour``."""
