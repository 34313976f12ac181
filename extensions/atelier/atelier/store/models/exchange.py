"""What travels: archives, releases, submissions with whom they count for, feedback."""

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from atelier.store.ids import new_id
from atelier.store.models.base import Account, Base, Id


class Blob(Base):
    """Bytes on disk, addressed by their SHA-256. Stored once however often they are referred to."""

    __tablename__ = "blob"
    __table_args__ = ({"info": {"person": "none"}},)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(doc="bytes")
    created_at: Mapped[dt.datetime]


class Release(Base):
    """A version of an assignment's student files. The newest version is the one that students fetch."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("assignment_id", "version"), {"info": {"person": "none"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    released_at: Mapped[dt.datetime]
    released_by: Mapped[str] = mapped_column(Account, doc="account")


class Submission(Base):
    """An archive that an account submitted. Its id, time and SHA-256 are the receipt."""

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("account", "idempotency_key"),
        Index("ix_submission_assignment_account", "assignment_id", "account"),
        {"info": {"person": "account"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    account: Mapped[str] = mapped_column(Account, doc="a person's id or team-<id>")
    idempotency_key: Mapped[str] = mapped_column(String(80))
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    file_count: Mapped[int]
    received_at: Mapped[dt.datetime] = mapped_column(doc="server's time when the last byte had arrived")
    late: Mapped[bool] = mapped_column(doc="received_at > the due_at of that moment")

    members: Mapped[list["SubmissionMember"]] = relationship(back_populates="submission")


class SubmissionMember(Base):
    """Who a submission counts for: the team's members at that moment, or the one person."""

    __tablename__ = "submission_member"
    __table_args__ = ({"info": {"person": "person_id"}},)

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)

    submission: Mapped[Submission] = relationship(back_populates="members")


class Feedback(Base):
    """A version of the feedback files for one submission. Students see the newest *confirmed* one."""

    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("submission_id", "version"), {"info": {"person": "submission_id"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    staged_at: Mapped[dt.datetime]
    staged_by: Mapped[str] = mapped_column(Account)
    confirmed_at: Mapped[dt.datetime | None] = mapped_column(doc="set once, when the marks were confirmed")
