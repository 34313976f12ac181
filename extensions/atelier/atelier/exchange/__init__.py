"""The exchange: releases, submissions and feedback as immutable archives; each submission has a receipt."""

from atelier.exchange.api import create_api
from atelier.exchange.archive import ArchiveCheck, ArchiveFacts, ArchiveLimits
from atelier.exchange.errors import ExchangeError
from atelier.exchange.records import (
    Receipt,
    count_submitters,
    counts_for,
    find_confirmed_feedback,
    find_feedback_for,
    find_latest_release,
    find_submission,
    list_submissions,
    list_submissions_for,
    make_receipt,
)

__all__ = [
    "ArchiveCheck",
    "ArchiveFacts",
    "ArchiveLimits",
    "ExchangeError",
    "Receipt",
    "count_submitters",
    "counts_for",
    "create_api",
    "find_confirmed_feedback",
    "find_feedback_for",
    "find_latest_release",
    "find_submission",
    "list_submissions",
    "list_submissions_for",
    "make_receipt",
]
