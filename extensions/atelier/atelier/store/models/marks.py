"""Results that were handed in, and the marks that a teacher made of them."""

import datetime as dt
from decimal import Decimal

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atelier.store.ids import new_id
from atelier.store.models.base import Account, Base, Id


class StagedResult(Base):
    """What a course workspace released for one submission; not yet a mark."""

    __tablename__ = "staged_result"
    __table_args__ = (UniqueConstraint("submission_id", "version"), {"info": {"person": "submission_id"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    version: Mapped[int]
    points: Mapped[Decimal | None] = mapped_column(doc="None: not gradable, see `problem`")
    max_points: Mapped[Decimal | None]
    problem: Mapped[str | None] = mapped_column(String(500), doc="why there are no points, for the teacher")
    needs_manual_grade: Mapped[bool] = mapped_column(default=False)
    feedback_id: Mapped[str | None] = mapped_column(ForeignKey("feedback.id"))
    staged_at: Mapped[dt.datetime]
    staged_by: Mapped[str] = mapped_column(Account)


class Mark(Base):
    """A result of one person for one assignment, confirmed by a teacher in her own session."""

    __tablename__ = "mark"
    __table_args__ = (
        UniqueConstraint("assignment_id", "person_id", "version"),
        {"info": {"person": "person_id"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    version: Mapped[int]
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    staged_result_id: Mapped[str] = mapped_column(ForeignKey("staged_result.id"))
    points: Mapped[Decimal] = mapped_column(doc="after the adjustment")
    max_points: Mapped[Decimal]
    adjustment: Mapped[Decimal] = mapped_column(default=Decimal(0), doc="points the teacher added")
    mark: Mapped[str] = mapped_column(String(10), doc="on the school's scale, as printed: '5.50' or '87%'")
    scale: Mapped[str] = mapped_column(String(20), doc="name of the scale that was used")
    confirmed_by: Mapped[str] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[dt.datetime]
