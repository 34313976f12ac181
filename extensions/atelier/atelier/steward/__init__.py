"""The steward: keeps the hub's accounts and shares as wanted. Nothing else gives access."""

from atelier.steward.run import run_steward

__all__ = ["run_steward"]
