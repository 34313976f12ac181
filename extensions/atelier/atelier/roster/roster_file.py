"""Reading a school's roster file: bytes → rows, with every problem listed, none hidden behind the first.

A roster is a CSV file as school programs and spreadsheets save it: UTF-8 (with or without BOM) or cp1251,
cells separated by `;`, `,` or tabs, a header line in Bulgarian or English. Everything in it is hostile until
checked: names end up on pages, in log lines, host lists and spreadsheets.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field

from atelier.texts import N_, Texts

MAX_BYTES = 5_000_000
MAX_NAME = 80

# Spellings of each column's title, compared in small letters without dots, spaces, hyphens and underscores.
COLUMNS: dict[str, tuple[str, ...]] = {
    "number": ("№", "no", "nr", "number", "номер", "номервклас", "numberinclass"),
    "given_name": ("име", "собственоиме", "givenname", "firstname"),
    "family_name": ("фамилия", "фамилноиме", "familyname", "lastname", "surname"),
    "email": ("имейл", "емейл", "email", "mail", "поща", "електроннапоща", "адрес"),
    "role": ("роля", "role"),
    "class_name": ("клас", "паралелка", "class"),
    "courses": ("курс", "курсове", "course", "courses"),
    "status": ("статус", "състояние", "status"),
}
REQUIRED = ("given_name", "family_name", "email")
ROLES = {
    "student": ("", "ученик", "ученичка", "student"),
    "teacher": ("учител", "учителка", "teacher"),
    "school_admin": ("администратор", "директор", "schooladmin", "administrator"),
    "operator": ("оператор", "operator"),
}
STATUSES = {
    False: ("", "активен", "активна", "учи", "active"),
    True: ("напуснал", "напуснала", "отписан", "отписана", "left", "inactive"),
}
EMAIL = re.compile(r"[a-z0-9][a-z0-9._%+'-]{0,63}@[a-z0-9.-]+\.[a-z][a-z0-9-]+")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
LOOKALIKES = str.maketrans("ABEKMHOPCTXaceopx", "АВЕКМНОРСТХасеорх")  # Latin letters that look Cyrillic


@dataclass(frozen=True, slots=True)
class RosterProblem:
    """What is wrong in one line (None: with the whole file), as a message with values to fill in."""

    line: int | None
    message: str
    values: dict[str, object] = field(default_factory=dict)

    def text(self, _: Texts) -> str:
        """Return the problem in the reader's language, beginning with the line."""
        said = _(self.message) % self.values
        return said if self.line is None else _("line %(line)d: ") % {"line": self.line} + said


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One person in the file, cleaned. `line` counts from 1, as an editor shows it."""

    line: int
    given_name: str
    family_name: str
    email: str
    role: str = "student"
    number: int | None = None
    class_name: str | None = None
    courses: tuple[str, ...] = ()
    left: bool = False


@dataclass
class RosterFile:
    """What was read. The rows may be used only when there are no problems."""

    rows: list[RosterRow] = field(default_factory=list)
    problems: list[RosterProblem] = field(default_factory=list)
    unused_columns: list[str] = field(default_factory=list)


def read_roster(data: bytes) -> RosterFile:
    """Read a roster file. Never raises for its contents: what is wrong is in `problems`."""
    found = RosterFile()
    text = _decode(data, found)
    if text is None:
        return found
    header_line, header, separator = _find_header(text)
    places = _place_columns(header, found)
    if found.problems:
        return found
    for line, cells in _read_lines(text, separator, header_line, found):
        _read_row(line, cells, len(header), places, found)
    _check_addresses_are_unique(found)
    _check_numbers_are_unique(found)
    if not found.rows and not found.problems:
        found.problems.append(RosterProblem(None, N_("The file has no rows. Add one line for each person.")))
    return found


def clean_class_name(name: str) -> str | None:
    """Return a class name without spaces and quotes, in capitals: '8 "а"' → '8А'; None when it is none.

    Latin letters that look like Cyrillic ones become Cyrillic, or one class would be two.
    """
    cleaned = re.sub(r"[\s\"'„“”«».]", "", unicodedata.normalize("NFC", name))
    cleaned = cleaned.translate(LOOKALIKES).upper()
    return cleaned if re.fullmatch(r"[0-9]{1,2}-?[А-Я]{0,2}[0-9]?", cleaned) else None


def clean_name(name: str) -> str | None:
    """Return a person's name in one spelling, or None when it is not a name.

    A name begins with a letter and holds letters, digits, spaces, hyphens, apostrophes and dots: nothing
    that a spreadsheet runs (=, +, @), that turns the direction of writing, or that a terminal obeys.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split(" "))
    cleaned = re.sub(" +", " ", cleaned).strip(" ")
    if not 1 <= len(cleaned) <= MAX_NAME or not cleaned[0].isalpha():
        return None
    fine = all(unicodedata.category(c)[0] in "LM" or c in "0123456789 -'’.‑" for c in cleaned)
    return cleaned if fine else None


def _decode(data: bytes, found: RosterFile) -> str | None:
    if len(data) > MAX_BYTES:
        found.problems.append(RosterProblem(None, N_("The file is larger than 5 MB. Split it by classes.")))
        return None
    if _is_damaged_utf8(data):
        message = N_("The file is UTF-8 with a broken place in it. Save it again as CSV (UTF-8).")
        found.problems.append(RosterProblem(None, message))
        return None
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    found.problems.append(
        RosterProblem(None, N_("The file is neither UTF-8 nor cp1251 text. Save it as CSV (UTF-8)."))
    )
    return None


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether most of the Cyrillic is UTF-8 although not all is: as cp1251 it would become nonsense names."""
    text = data.decode("utf-8", "replace")
    whole = sum("\u0400" <= character <= "\u04ff" for character in text)
    return 0 < text.count("\ufffd") < whole


def _find_header(text: str) -> tuple[int, list[str], str]:
    """The first line with anything in it, and the separator that finds most of our columns in it."""
    for number, line in enumerate(io.StringIO(text, newline=""), 1):  # the same lines as csv's
        if line.strip() and not line.lower().startswith("sep="):
            candidates = [(next(csv.reader([line.strip("\r\n")], delimiter=s), []), s) for s in ";,\t"]
            header, separator = max(candidates, key=lambda c: sum(_column_of(t) is not None for t in c[0]))
            return number, header, separator
    return 1, [], ";"


def _column_of(title: str) -> str | None:
    key = re.sub(r"[\s._-]", "", title).lower()
    return next((column for column, spellings in COLUMNS.items() if key in spellings), None)


def _place_columns(header: list[str], found: RosterFile) -> dict[str, int]:
    places: dict[str, int] = {}
    for at, title in enumerate(header):
        column = _column_of(title)
        if column is None and title.strip():
            found.unused_columns.append(_show(title))
        elif column in places:
            message = N_("Two columns mean the same: %(title)s. Remove one.")
            found.problems.append(RosterProblem(None, message, {"title": _show(title)}))
        elif column is not None:
            places[column] = at
    shown = {"given_name": "Име", "family_name": "Фамилия", "email": "Имейл"}
    for column in REQUIRED:
        if column not in places:
            message = N_("The column %(title)s is missing in the first line. Add it.")
            found.problems.append(RosterProblem(None, message, {"title": shown[column]}))
    return places


def _read_lines(
    text: str, separator: str, header_line: int, found: RosterFile
) -> list[tuple[int, list[str]]]:
    lines = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if reader.line_num > header_line and any(cell.strip() for cell in cells):
                lines.append((reader.line_num, cells))
    except csv.Error:
        message = N_("The line is broken. Check its quotation marks.")
        found.problems.append(RosterProblem(reader.line_num, message))
    return lines


def _read_row(line: int, cells: list[str], width: int, places: dict[str, int], found: RosterFile) -> None:
    if len([c for c in cells[width:] if c.strip()]) or len(cells) <= max(places[c] for c in REQUIRED):
        message = N_("The line has %(cells)d cells, the first line has %(width)d. Check its separators.")
        found.problems.append(RosterProblem(line, message, {"cells": len(cells), "width": width}))
        return
    raw = {column: cells[at].strip() if at < len(cells) else "" for column, at in places.items()}
    values = {column: _CHECKS[column](raw.get(column, "")) for column in _CHECKS}
    wrong = [column for column, value in values.items() if value is _WRONG]
    for column in wrong:
        found.problems.append(RosterProblem(line, _MESSAGES[column], {"value": _show(raw[column])}))
    if not wrong:
        left = values.pop("status")
        found.rows.append(RosterRow(line=line, left=bool(left), **values))  # type: ignore[arg-type]


def _check_addresses_are_unique(found: RosterFile) -> None:
    first: dict[str, int] = {}
    for row in found.rows:
        if row.email in first:
            values: dict[str, object] = {"email": row.email, "first": first[row.email]}
            message = N_("%(email)s stands in line %(first)d already. Keep one line for each person.")
            found.problems.append(RosterProblem(row.line, message, values))
        first.setdefault(row.email, row.line)


def _check_numbers_are_unique(found: RosterFile) -> None:
    first: dict[tuple[str, int], int] = {}
    for row in found.rows:
        if row.class_name is None or row.number is None or row.left:
            continue
        place = (row.class_name, row.number)
        if place in first:
            values: dict[str, object] = {"number": row.number, "name": row.class_name, "first": first[place]}
            message = N_("№ %(number)d of %(name)s stands in line %(first)d already. Correct one of the two.")
            found.problems.append(RosterProblem(row.line, message, values))
        first.setdefault(place, row.line)


def _show(value: str) -> str:
    """A hostile cell in a message: short, in quotes, with everything unprintable written out."""
    shown = repr(value[:40])
    return shown if len(value) <= 40 else f"{shown}…"


# ------------------------------------------------ one check for each column: cell → value, or _WRONG
_WRONG = object()


def _check_number(cell: str) -> object:
    cell = cell.rstrip(".")
    if not cell:
        return None
    return int(cell) if re.fullmatch(r"[0-9]{1,2}", cell) and int(cell) > 0 else _WRONG


def _check_person_name(cell: str) -> object:
    return clean_name(cell) or _WRONG


def _check_address(cell: str) -> object:
    email = cell.lower()
    return email if len(email) <= 254 and EMAIL.fullmatch(email) else _WRONG


def _check_role(cell: str) -> object:
    key = re.sub(r"[\s_-]", "", cell).lower()
    return next((role for role, spellings in ROLES.items() if key in spellings), _WRONG)


def _check_class(cell: str) -> object:
    return (clean_class_name(cell) or _WRONG) if cell else None


def _check_courses(cell: str) -> object:
    slugs = tuple(dict.fromkeys(re.split(r"[\s,|]+", cell))) if cell else ()
    return slugs if all(SLUG.fullmatch(slug) for slug in slugs) else _WRONG


def _check_status(cell: str) -> object:
    return next((left for left, spellings in STATUSES.items() if cell.lower() in spellings), _WRONG)


_CHECKS = {
    "number": _check_number,
    "given_name": _check_person_name,
    "family_name": _check_person_name,
    "email": _check_address,
    "role": _check_role,
    "class_name": _check_class,
    "courses": _check_courses,
    "status": _check_status,
}
_MESSAGES = {
    "number": N_("%(value)s is no number in class. Write 1 to 99 or leave it empty."),
    "given_name": N_("%(value)s is no given name. Write letters, at most 80."),
    "family_name": N_("%(value)s is no family name. Write letters, at most 80."),
    "email": N_("%(value)s is no e-mail address. Write it like name@school.example."),
    "role": N_("%(value)s is no role. Write student, teacher, administrator or operator."),
    "class_name": N_("%(value)s is no class. Write it like 8А."),
    "courses": N_("%(value)s is no list of courses. Write short names, separated by spaces."),
    "status": N_("%(value)s is no status. Leave it empty, or write left for somebody who left."),
}
