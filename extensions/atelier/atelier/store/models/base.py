"""What all tables are made of: the base class, instants, the widths of ids."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    DateTime,
    Dialect,
    MetaData,
    Numeric,
    String,
    TypeDecorator,
    and_,
    or_,
)
from sqlalchemy.orm import DeclarativeBase, Mapped


class Instant(TypeDecorator[dt.datetime]):
    """An instant. Refuses naive datetimes; always returns UTC-aware ones (SQLite itself keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Base of all tables. Constraint names are fixed so that migrations can address them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dt.datetime: Instant, Decimal: Numeric(9, 3), str: String()}  # noqa: RUF012


class Lasting:
    """Mixed into tables whose rows hold from an instant on, until another one if `until_at` names it."""

    if TYPE_CHECKING:  # the columns stand in each table, in its order
        from_at: Mapped[dt.datetime]
        until_at: Mapped[dt.datetime | None]

    @classmethod
    def holds_at(cls, now: dt.datetime) -> ColumnElement[bool]:
        """Return the condition that a row holds at `now`: its first instant is in it, its last is not."""
        return and_(cls.from_at <= now, or_(cls.until_at.is_(None), cls.until_at > now))


Id = String(12)
Account = String(40)


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return a constraint: the column holds one of `values`."""
    listed = ", ".join(f"'{v}'" for v in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
