"""Workspaces that must stop because a right in them ended: kept in the database until it has happened.

A revoked share closes no open websocket, and a server remembers its visitors for a while: only a stop ends
a right (docs/facts.md). The order is written down before the right is revoked, so that a steward that dies in
between still stops the workspace when it is back.
"""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from atelier.store.models import WorkspaceStop


def request_stop(session: Session, account: str, reason: str, now: dt.datetime) -> None:
    """Note that `account`'s workspace must stop. One open note for each account is enough."""
    if account not in list_open_stops(session):
        session.add(WorkspaceStop(account=account, reason=reason[:80], requested_at=now))
        session.flush()


def list_open_stops(session: Session) -> list[str]:
    """Return the accounts whose workspaces must still stop."""
    query = select(WorkspaceStop.account).where(WorkspaceStop.done_at.is_(None))
    return sorted(set(session.scalars(query)))


def mark_stopped(session: Session, account: str, now: dt.datetime) -> None:
    """Note that the workspace is down."""
    query = select(WorkspaceStop).where(WorkspaceStop.account == account, WorkspaceStop.done_at.is_(None))
    for stop in session.scalars(query):
        stop.done_at = now
