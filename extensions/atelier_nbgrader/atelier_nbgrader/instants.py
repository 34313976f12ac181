"""Instants of the exchange, as text and in folders' names."""

import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def parse_instant(text: str) -> datetime:
    """An instant of the exchange (`2026-11-21T20:34:31Z`) as an aware datetime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def folder_time(text: str) -> str:
    """An instant as part of a folder's name, in UTC: sorts by time, no colon."""
    return parse_instant(text).strftime("%Y-%m-%d_%H-%M-%S")


def show_instant(text: str) -> str:
    """An instant for people, in the workspace's zone (`ATELIER_ZONE`), to the second."""
    try:
        zone = ZoneInfo(os.environ.get("ATELIER_ZONE", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return parse_instant(text).astimezone(zone).strftime("%d.%m.%Y %H:%M:%S %Z")
