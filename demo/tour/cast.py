"""Who does what on the tour: 28 students of one class, most of them right, some odd, three hostile."""

from dataclasses import dataclass
from pathlib import Path

from atelier.roster import read_roster

# A part is a set of answers below the template's `solutions/`, or one of the odd and hostile ones in NOTES.
FULL = "full"
PARTS = {
    3: "wrong-zeros",
    5: "sparse",
    9: "half-done",
    11: "traversal",
    14: "wrong-constants",
    17: "thief",
    20: "untouched",
    22: "torn",
}
TEAM_PARTS = {2: "half-done", 4: "wrong-zeros"}
TEAM_SIZE = 4
REFUSED = ("sparse", "traversal")
WITHOUT_MARK = ("sparse", "traversal", "torn")

NOTES = {
    "full": "",
    "wrong-zeros": "common mistakes: hidden tests lost",
    "wrong-constants": "constants from the visible tests: hidden tests lost",
    "half-done": "half done, one cell broken",
    "untouched": "submitted as fetched, nothing answered: 0 by tests and by hand",
    "torn": "broken file submitted",
    "sparse": "3 GiB sparse file refused",
    "traversal": "path traversal refused",
    "thief": "looked for token and gradebook while graded: found nothing",
}


@dataclass(frozen=True)
class Student:
    """A student of the class, and the part played in the individual assignment."""

    number: int
    name: str
    email: str

    @property
    def part(self) -> str:
        return PARTS.get(self.number, FULL)

    @property
    def team(self) -> int:
        """The number of the team, from 1."""
        return (self.number - 1) // TEAM_SIZE + 1

    @property
    def team_part(self) -> str:
        return TEAM_PARTS.get(self.team, FULL)


def list_students(roster_file: Path, class_name: str) -> list[Student]:
    """Return the class's students by №."""
    rows = read_roster(roster_file.read_bytes()).rows
    return [
        Student(row.number or 0, f"{row.given_name} {row.family_name}", row.email)
        for row in sorted(rows, key=lambda row: row.number or 0)
        if row.role == "student" and row.class_name == class_name and not row.left
    ]
