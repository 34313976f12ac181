"""The exchange's verbs as nbgrader's plug-ins: one class per file, named like nbgrader's own."""

from atelier_nbgrader.exchange.collect import ExchangeCollect
from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.exchange.fetch_assignment import ExchangeFetchAssignment
from atelier_nbgrader.exchange.fetch_feedback import ExchangeFetchFeedback
from atelier_nbgrader.exchange.list import ExchangeList
from atelier_nbgrader.exchange.release_assignment import ExchangeReleaseAssignment
from atelier_nbgrader.exchange.release_feedback import ExchangeReleaseFeedback
from atelier_nbgrader.exchange.submit import ExchangeSubmit

__all__ = [
    "Exchange",
    "ExchangeCollect",
    "ExchangeFetchAssignment",
    "ExchangeFetchFeedback",
    "ExchangeList",
    "ExchangeReleaseAssignment",
    "ExchangeReleaseFeedback",
    "ExchangeSubmit",
]
