"""The demo's accounts: who can be chosen at the demo's sign-in provider, and what each can do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.house import REPOSITORY
from hub_config.city import City, School

ROSTERS_DIR = REPOSITORY / "demo" / "rosters"
PROVIDER_ACCOUNTS = REPOSITORY / "demo" / "provider" / "accounts.json"
SAMPLE_TEACHER = "teacher@school-a.example"
ROLES = {
    "student": {"bg": "ученик", "en": "student"},
    "teacher": {"bg": "учител", "en": "teacher"},
    "school_admin": {"bg": "администратор", "en": "administrator"},
    "operator": {"bg": "оператор на града", "en": "operator of the city"},
}


def list_demo_rosters() -> list[tuple[str, Path]]:
    """Return (school id, file) of every roster of the demo; the name before `_` is the school's id."""
    return [(path.stem.partition("_")[0], path) for path in sorted(ROSTERS_DIR.glob("*.csv"))]


def write_accounts(file: Path, city: City, rosters: list[tuple[str, Path]] | None = None) -> None:
    """Write the provider's file: the accounts it comes with, and who else is on the rosters."""
    accounts = json.loads(PROVIDER_ACCOUNTS.read_text(encoding="utf-8"))["accounts"]
    known = {account.get("email") for account in accounts}
    for school_id, path in list_demo_rosters() if rosters is None else rosters:
        for account in _list_roster_accounts(city.find_school(school_id), path):
            if account["email"] not in known:
                accounts.append(account)
    file.write_text(json.dumps({"accounts": accounts}, ensure_ascii=False, indent=1), encoding="utf-8")


def _list_roster_accounts(school: School, path: Path) -> Iterator[dict[str, Any]]:
    from atelier.roster import read_roster

    for row in sorted(read_roster(path.read_bytes()).rows, key=lambda row: row.role == "student"):
        place = f", {row.class_name}, № {row.number}" if row.class_name and row.number else ""
        left = {"bg": ", напуснал", "en": ", has left"} if row.left else {"bg": "", "en": ""}
        yield {
            "email": row.email,
            "name": f"{row.given_name} {row.family_name}",
            "hosted_domain": row.email.rpartition("@")[2],
            "group": {"bg": school.name, "en": school.name},
            "hint": {code: f"{ROLES[row.role][code]}{place}{left[code]}" for code in ("bg", "en")},
        }


DESCRIPTION = """\
Choose one on the sign-in page (no passwords; everybody is invented):

  teacher@school-a.example          teaches 8А: teams, release, grading, marks (page Course)
  students of 8А, № 1-28, e.g.      My work, the own workspace, the team's live workspace; № 1-4 are Екип 1:
    aleksandra.angelova@…           open two browsers (or a private window) as these two
    andrey.atanasov@…               and see each other type
  second.teacher@school-a.example   teaches nothing yet: starts a course from a template
  admin@school-a.example            the school's administrator
  operator@school-a.example         the city's operator: works with files and commands, so few pages are there
  …@school-b.example                another school, in English; sees nothing of the first
  „Кой не влиза“                    personal, foreign and unknown accounts: what a refusal looks like"""


def describe_accounts() -> str:
    """Return the table that `make run` prints: the accounts, and what each can do."""
    return DESCRIPTION
