"""The end of the tour: the table of marks, its claims, and each process's peak memory."""

from decimal import Decimal

from demo.tour.cast import FULL, NOTES, WITHOUT_MARK, Student
from demo.tour.marking_steps import read_csv
from demo.tour.memory import read_peak_mb
from demo.tour.tour import Tour

CITY_AIM_MB = 450
WORKSPACE_AIM_MB = 130
Row = dict[str, str]


def check_marks(tour: Tour) -> None:
    """Every right submission has all its points, every other its reason; nobody has a silent 0."""
    rows = _list_rows(tour)
    for student in tour.students:
        for kind, account in (("individual", student.email), ("team", f"team {student.team}")):
            row = rows.get((student.name, _find_title(tour, kind)))
            part = student.part if kind == "individual" else student.team_part
            awarded = tour.awarded.get((tour.accounts.get(account, ""), tour.find_assignment(kind)))
            tour.claim(row, f"№ {student.number} has a line for the {kind} assignment")
            words = tour.words.get((student.name, tour.find_assignment(kind)), "")
            _check_row(tour, f"№ {student.number}, {kind}", row or {}, part, awarded, words)


def _check_row(tour: Tour, who: str, row: Row, part: str, awarded: float | None, words: str) -> None:
    points, most, mark = (_read_number(row, column) for column in ("Точки", "Максимум", "Оценка"))
    if part in WITHOUT_MARK:
        tour.claim(points is None and mark is None, f"{who} ({part}) has no mark; it is {mark}")
        tour.claim(words, f"the course page says why {who} ({part}) has no mark")
        return
    tour.claim(mark is not None and 2 <= mark <= 6, f"{who} has a mark from 2.00 to 6.00; it is {mark}")
    tour.claim(
        points is not None and awarded is not None and float(points) == awarded,
        f"{who} has the gradebook's {awarded} points; the mark says {points}",
    )
    if part in (FULL, "thief"):
        tour.claim(points == most and most, f"{who} is right and has all points; it has {points} of {most}")
    else:
        tour.claim(points is not None and most and points < most, f"{who} ({part}) loses points: {points}")


def print_marks(tour: Tour) -> None:
    """Print one line for each student."""
    rows = _list_rows(tour)
    titles = [_find_title(tour, kind) for kind in ("individual", "team")]
    print(f"\n{' №':>3}  {'name':24} {'individual':>18}  {'team':>20}  note")
    for student in tour.students:
        cells = [_describe(rows.get((student.name, title), {})) for title in titles]
        note = _find_note(tour, student)
        team = f"{student.team}: {cells[1]}"
        print(f"{student.number:3}  {student.name:24} {cells[0]:>18}  {team:>20}  {note}".rstrip())
    print(f"\nMarks as CSV: {tour.csv_file}")


def print_memory(tour: Tour) -> None:
    """Print the peak of each process, and say whether the aims are met. Peaks include shared pages."""
    peaks = {name: read_peak_mb(process.pid) for name, process in tour.demo.processes.items()}
    print("\nPeak memory (VmHWM, shared pages included)")
    for name, peak in peaks.items():
        print(f"  {name:24} {peak:6.0f} MB")
    city = sum(peak for name, peak in peaks.items() if name != "provider")
    print(f"  {'hub + proxy + web + steward':24} {city:3.0f} MB  {_compare(city, CITY_AIM_MB)}")
    for title, sizes in (("workspace", tour.watch.servers_mb), ("kernel", tour.watch.kernels_mb)):
        for kind in ("personal", "team", "course"):
            of_kind = [size for account, size in sizes.items() if _find_kind(account) == kind]
            if of_kind:
                aim = _compare(max(of_kind), WORKSPACE_AIM_MB) if title == "workspace" else ""
                print(f"  {f'largest {kind} {title}':24} {max(of_kind):6.0f} MB  {aim}".rstrip())


def _list_rows(tour: Tour) -> dict[tuple[str, str], Row]:
    return {(row["Име"], row["Задание"]): row for row in read_csv(tour.csv_file.read_bytes())}


def _find_title(tour: Tour, kind: str) -> str:
    return next(a.title.bg for a in tour.template.assignments if a.kind == kind)


def _read_number(row: Row, column: str) -> Decimal | None:
    text = row.get(column, "")
    return Decimal(text.replace(",", ".")) if text else None


def _describe(row: Row) -> str:
    if not row.get("Оценка"):
        return "no mark"
    return f"{row['Точки']}/{row['Максимум']} → {row['Оценка']}"


def _find_note(tour: Tour, student: Student) -> str:
    """What the student did, how the exchange refused it, what the teacher's page says of it."""
    said = tour.words.get((student.name, tour.find_assignment("individual")), "")
    note = ": ".join(
        part
        for part in (NOTES[student.part], tour.refusals.get(student.email, ""), f"„{said}“" if said else "")
        if part
    )
    team = f"team: {NOTES[student.team_part]}" if student.team_part != FULL else ""
    return "; ".join(part for part in (note, team) if part)


def _find_kind(account: str) -> str:
    prefix = account.partition("-")[0]
    return prefix if prefix in ("team", "course") else "personal"


def _compare(size_mb: float, aim_mb: int) -> str:
    return f"(aim: under {aim_mb} MB{', met)' if size_mb < aim_mb else ': NOT met)'}"
