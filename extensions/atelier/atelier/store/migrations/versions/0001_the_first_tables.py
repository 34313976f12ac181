"""The first tables."""

import sqlalchemy as sa
from alembic import op
from atelier.store import models

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
        info={"person": "none"},
    )
    op.create_table(
        "course",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("school_id", sa.String(length=40), nullable=False),
        sa.Column("slug", sa.String(length=30), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.Column("archived_at", models.Instant(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('subject', 'club')", name=op.f("ck_course_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("slug", name=op.f("uq_course_slug")),
        info={"person": "none"},
    )
    with op.batch_alter_table("course", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_course_school_id"), ["school_id"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("school_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("given_name", sa.String(length=80), nullable=False),
        sa.Column("family_name", sa.String(length=80), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=True),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.Column("deactivated_at", models.Instant(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('student', 'teacher', 'school_admin', 'operator')", name=op.f("ck_person_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        info={"person": "self"},
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_school_id"), ["school_id"], unique=False)

    op.create_table(
        "roster_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("at", models.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_change")),
        info={"person": "none"},
    )
    op.create_table(
        "school_class",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("school_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("school_year", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_school_class")),
        sa.UniqueConstraint(
            "school_id", "name", "school_year", name=op.f("uq_school_class_school_id_name_school_year")
        ),
        info={"person": "none"},
    )
    op.create_table(
        "workspace_stop",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("requested_at", models.Instant(timezone=True), nullable=False),
        sa.Column("done_at", models.Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace_stop")),
        info={"person": "none"},
    )
    with op.batch_alter_table("workspace_stop", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workspace_stop_account"), ["account"], unique=False)

    op.create_table(
        "class_membership",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("from_at", models.Instant(timezone=True), nullable=False),
        sa.Column("until_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["class_id"], ["school_class.id"], name=op.f("fk_class_membership_class_id_school_class")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_class_membership_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_membership")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("class_membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_class_membership_class_id"), ["class_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_class_membership_person_id"), ["person_id"], unique=False)

    op.create_table(
        "course_class",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.String(length=12), nullable=False),
        sa.Column("class_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["school_class.id"], name=op.f("fk_course_class_class_id_school_class")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_course_class_course_id_course")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_class")),
        sa.UniqueConstraint("course_id", "class_id", name=op.f("uq_course_class_course_id_class_id")),
        info={"person": "none"},
    )
    with op.batch_alter_table("course_class", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_course_class_class_id"), ["class_id"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("from_at", models.Instant(timezone=True), nullable=False),
        sa.Column("until_at", models.Instant(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('student', 'teacher')", name=op.f("ck_enrolment_role")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_enrolment_course_id_course")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_enrolment_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_course_id"), ["course_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_enrolment_person_id"), ["person_id"], unique=False)

    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("bound_at", models.Instant(timezone=True), nullable=True),
        sa.Column("retired_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_identity_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("provider", "subject", name=op.f("uq_identity_provider_subject")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "uq_identity_open_email",
            ["provider", "email"],
            unique=True,
            sqlite_where=sa.text("retired_at IS NULL"),
            postgresql_where=sa.text("retired_at IS NULL"),
        )

    op.create_table(
        "project",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("course_id", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("driving_question", sa.String(length=1000), nullable=False),
        sa.Column("template", sa.String(length=80), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_project_course_id_course")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        info={"person": "none"},
    )
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_course_id"), ["course_id"], unique=False)

    op.create_table(
        "web_session",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.Column("expires_at", models.Instant(timezone=True), nullable=False),
        sa.Column("identity_checked_at", models.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_web_session_person_id_person")),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_web_session")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_web_session_person_id"), ["person_id"], unique=False)

    op.create_table(
        "assignment",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("course_id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("due_at", models.Instant(timezone=True), nullable=True),
        sa.Column("zone", sa.String(length=40), nullable=False),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('individual', 'team')", name=op.f("ck_assignment_kind")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_assignment_course_id_course")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_assignment_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sa.UniqueConstraint("course_id", "name", name=op.f("uq_assignment_course_id_name")),
        info={"person": "none"},
    )
    op.create_table(
        "team",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("project_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("created_at", models.Instant(timezone=True), nullable=False),
        sa.Column("dissolved_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_team_project_id_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_team_project_id_name")),
        info={"person": "none"},
    )
    op.create_table(
        "release",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("assignment_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("released_at", models.Instant(timezone=True), nullable=False),
        sa.Column("released_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_release_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_release_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint("assignment_id", "version", name=op.f("uq_release_assignment_id_version")),
        info={"person": "none"},
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("assignment_id", sa.String(length=12), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("received_at", models.Instant(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_submission_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_submission_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("account", "idempotency_key", name=op.f("uq_submission_account_idempotency_key")),
        info={"person": "account"},
    )
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.create_index("ix_submission_assignment_account", ["assignment_id", "account"], unique=False)

    op.create_table(
        "team_membership",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("from_at", models.Instant(timezone=True), nullable=False),
        sa.Column("until_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_team_membership_person_id_person")
        ),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_membership_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_membership")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("team_membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_membership_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_team_membership_team_id"), ["team_id"], unique=False)

    op.create_table(
        "feedback",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("submission_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("staged_at", models.Instant(timezone=True), nullable=False),
        sa.Column("staged_by", sa.String(length=40), nullable=False),
        sa.Column("confirmed_at", models.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_feedback_sha256_blob")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_feedback_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("submission_id", "version", name=op.f("uq_feedback_submission_id_version")),
        info={"person": "submission_id"},
    )
    op.create_table(
        "submission_member",
        sa.Column("submission_id", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_submission_member_person_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_submission_member_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("submission_id", "person_id", name=op.f("pk_submission_member")),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("submission_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_submission_member_person_id"), ["person_id"], unique=False)

    op.create_table(
        "staged_result",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("submission_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("points", sa.Numeric(precision=9, scale=3), nullable=True),
        sa.Column("max_points", sa.Numeric(precision=9, scale=3), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("needs_manual_grade", sa.Boolean(), nullable=False),
        sa.Column("feedback_id", sa.String(length=12), nullable=True),
        sa.Column("staged_at", models.Instant(timezone=True), nullable=False),
        sa.Column("staged_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["feedback_id"], ["feedback.id"], name=op.f("fk_staged_result_feedback_id_feedback")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_staged_result_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staged_result")),
        sa.UniqueConstraint("submission_id", "version", name=op.f("uq_staged_result_submission_id_version")),
        info={"person": "submission_id"},
    )
    op.create_table(
        "mark",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("assignment_id", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.String(length=12), nullable=False),
        sa.Column("staged_result_id", sa.String(length=12), nullable=False),
        sa.Column("points", sa.Numeric(precision=9, scale=3), nullable=False),
        sa.Column("max_points", sa.Numeric(precision=9, scale=3), nullable=False),
        sa.Column("adjustment", sa.Numeric(precision=9, scale=3), nullable=False),
        sa.Column("mark", sa.String(length=10), nullable=False),
        sa.Column("scale", sa.String(length=20), nullable=False),
        sa.Column("confirmed_by", sa.String(length=12), nullable=False),
        sa.Column("confirmed_at", models.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_mark_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(["confirmed_by"], ["person.id"], name=op.f("fk_mark_confirmed_by_person")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_mark_person_id_person")),
        sa.ForeignKeyConstraint(
            ["staged_result_id"], ["staged_result.id"], name=op.f("fk_mark_staged_result_id_staged_result")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_mark_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
        sa.UniqueConstraint(
            "assignment_id", "person_id", "version", name=op.f("uq_mark_assignment_id_person_id_version")
        ),
        info={"person": "person_id"},
    )
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mark_person_id"), ["person_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mark_person_id"))

    op.drop_table("mark")
    op.drop_table("staged_result")
    with op.batch_alter_table("submission_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_submission_member_person_id"))

    op.drop_table("submission_member")
    op.drop_table("feedback")
    with op.batch_alter_table("team_membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_membership_team_id"))
        batch_op.drop_index(batch_op.f("ix_team_membership_person_id"))

    op.drop_table("team_membership")
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.drop_index("ix_submission_assignment_account")

    op.drop_table("submission")
    op.drop_table("release")
    op.drop_table("team")
    op.drop_table("assignment")
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_web_session_person_id"))

    op.drop_table("web_session")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_project_course_id"))

    op.drop_table("project")
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_identity_open_email",
            sqlite_where=sa.text("retired_at IS NULL"),
            postgresql_where=sa.text("retired_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_identity_person_id"))

    op.drop_table("identity")
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrolment_person_id"))
        batch_op.drop_index(batch_op.f("ix_enrolment_course_id"))

    op.drop_table("enrolment")
    with op.batch_alter_table("course_class", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_course_class_class_id"))

    op.drop_table("course_class")
    with op.batch_alter_table("class_membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_class_membership_person_id"))
        batch_op.drop_index(batch_op.f("ix_class_membership_class_id"))

    op.drop_table("class_membership")
    with op.batch_alter_table("workspace_stop", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workspace_stop_account"))

    op.drop_table("workspace_stop")
    op.drop_table("school_class")
    op.drop_table("roster_change")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_school_id"))

    op.drop_table("person")
    with op.batch_alter_table("course", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_course_school_id"))

    op.drop_table("course")
    op.drop_table("blob")
