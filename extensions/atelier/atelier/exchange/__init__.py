"""The exchange: releases, submissions and feedback as immutable archives; each submission has a receipt."""

from atelier.exchange.api import create_api
from atelier.exchange.archive import ArchiveCheck, ArchiveFacts, ArchiveLimits
from atelier.exchange.errors import ExchangeError
from atelier.exchange.records import (
    Receipt,
    find_confirmed_feedback,
    find_latest_release,
    list_submissions,
    make_receipt,
)

__all__ = [
    "ArchiveCheck",
    "ArchiveFacts",
    "ArchiveLimits",
    "ExchangeError",
    "Receipt",
    "create_api",
    "find_confirmed_feedback",
    "find_latest_release",
    "list_submissions",
    "make_receipt",
]
