"""Refusals of this room."""

from atelier.refused import Refused


class MarkError(Refused, ValueError):
    """Results or marks that cannot be taken."""


class StaleConfirmation(MarkError):
    """The list changed after the teacher saw it: nothing was confirmed, show it again."""
