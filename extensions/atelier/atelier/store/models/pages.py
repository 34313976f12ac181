"""Browsers that are signed in to the pages."""

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from atelier.store.models.base import Base


class WebSession(Base):
    """A signed-in browser on the service's own origin. The cookie holds a secret; this row its SHA-256."""

    __tablename__ = "web_session"
    __table_args__ = ({"info": {"person": "person_id"}},)

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    identity_checked_at: Mapped[dt.datetime]
