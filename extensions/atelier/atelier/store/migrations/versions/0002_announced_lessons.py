"""Announced lessons."""

import sqlalchemy as sa
from alembic import op
from atelier.store import models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lesson",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("course_id", sa.String(length=12), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("bell", sa.Time(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=40), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=True),
        sa.Column("announced_by", sa.String(length=12), nullable=False),
        sa.Column("announced_at", models.Instant(timezone=True), nullable=False),
        sa.Column("removed_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["announced_by"], ["person.id"], name=op.f("fk_lesson_announced_by_person")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_lesson_course_id_course")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_lesson_project_id_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lesson")),
        info={"person": "announced_by"},
    )
    with op.batch_alter_table("lesson", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lesson_course_id"), ["course_id"], unique=False)

    op.create_table(
        "lesson_class",
        sa.Column("lesson_id", sa.String(length=12), nullable=False),
        sa.Column("class_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["school_class.id"], name=op.f("fk_lesson_class_class_id_school_class")
        ),
        sa.ForeignKeyConstraint(["lesson_id"], ["lesson.id"], name=op.f("fk_lesson_class_lesson_id_lesson")),
        sa.PrimaryKeyConstraint("lesson_id", "class_id", name=op.f("pk_lesson_class")),
        info={"person": "none"},
    )
    op.create_table(
        "lesson_skip",
        sa.Column("lesson_id", sa.String(length=12), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("at", models.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lesson_id"], ["lesson.id"], name=op.f("fk_lesson_skip_lesson_id_lesson")),
        sa.PrimaryKeyConstraint("lesson_id", "held_on", name=op.f("pk_lesson_skip")),
        info={"person": "none"},
    )


def downgrade() -> None:
    op.drop_table("lesson_skip")
    op.drop_table("lesson_class")
    with op.batch_alter_table("lesson", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lesson_course_id"))

    op.drop_table("lesson")
