"""What the steward acts on: that rights may have changed, and workspaces that must stop."""

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from atelier.store.models.base import Account, Base


class RosterChange(Base):
    """A counter of what may change rights: the steward acts when it sees a new row."""

    __tablename__ = "roster_change"
    __table_args__ = ({"info": {"person": "none"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(80))
    at: Mapped[dt.datetime]


class WorkspaceStop(Base):
    """A workspace that must be stopped because a right in it ended. Written before the right is revoked, so
    that a steward that dies in between still stops it: an open websocket is only cut by a stop."""

    __tablename__ = "workspace_stop"
    __table_args__ = ({"info": {"person": "none"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(Account, index=True)
    reason: Mapped[str] = mapped_column(String(80))
    requested_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]
