"""Opaque ids and account names.

An id becomes a host name, a volume and a log line, so it carries nothing about the child it stands for.
"""

import re
import secrets
import string
from typing import Literal

ID_PATTERN = re.compile(r"[a-z][a-z0-9]{11}")
AccountKind = Literal["person", "team", "course"]


def new_id() -> str:
    """Return a random id of the shape ``[a-z][a-z0-9]{11}`` (about 61 bits: no collisions in a city)."""
    tail = string.ascii_lowercase + string.digits
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(tail) for _ in range(11))


def team_account(team_id: str) -> str:
    """Return the JupyterHub account that owns a team's workspace."""
    return f"team-{team_id}"


def course_account(course_id: str) -> str:
    """Return the JupyterHub account that owns a course's workspace."""
    return f"course-{course_id}"


def parse_account(account: str) -> tuple[AccountKind, str]:
    """Split an account name into its kind and the opaque id behind it.

    Raises ValueError when `account` is no account name of ours.
    """
    prefix, dash, tail = account.partition("-")
    kind: AccountKind = "person"
    if dash:
        if prefix not in ("team", "course"):
            raise ValueError(f"not an account name: {account!r}")
        kind = "team" if prefix == "team" else "course"
    else:
        tail = account
    if not ID_PATTERN.fullmatch(tail):
        raise ValueError(f"not an account name: {account!r}")
    return kind, tail
