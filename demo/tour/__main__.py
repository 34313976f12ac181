"""``python -m demo.tour``: plays the steps in order, ends in a table; exits 1 when a claim does not hold."""

import argparse
import signal
import sys
import traceback
from pathlib import Path

import httpx
from atelier.projects import list_templates

from demo.accounts import ROSTERS_DIR, SAMPLE_TEACHER, write_accounts
from demo.checks import list_warnings
from demo.house import DEFAULT_CITY, REPOSITORY
from demo.launch import Demo
from demo.problem import DemoProblem
from demo.processes import adopt_orphans, end_orphans
from demo.reset import reset
from demo.tour import marking_steps, opening_steps, report, student_steps
from demo.tour.browser import TourFailure
from demo.tour.cast import list_students
from demo.tour.memory import WorkspaceWatch
from demo.tour.tour import Tour
from hub_config.city import load_city

ROSTER_FILE = ROSTERS_DIR / "primer_8a.csv"

STEPS = (
    ("An operator imports the roster (cp1251, 28 students)", opening_steps.import_roster),
    ("The teacher signs in through the provider", opening_steps.sign_teacher_in),
    ("She starts a course from the template", opening_steps.start_course),
    ("She forms seven teams", opening_steps.form_teams),
    ("She opens the course workspace", opening_steps.open_course_workspace),
    ("She generates and releases the assignments in formgrader", opening_steps.release_assignments),
    ("Seven teams fetch, answer and submit", student_steps.submit_team_work),
    ("28 students fetch, answer and submit; three attack", student_steps.submit_individual_work),
    ("She collects", marking_steps.collect),
    ("She autogrades, each notebook in the sandbox", marking_steps.autograde),
    ("The notebook that looked for token and gradebook found nothing", marking_steps.check_the_thief),
    ("She grades by hand in formgrader", marking_steps.grade_by_hand),
    ("She generates and releases the feedback", marking_steps.release_feedback),
    ("She confirms the marks on the course page", marking_steps.confirm_marks),
    ("She downloads the marks", marking_steps.save_csv),
    ("Every mark is what it should be", report.check_marks),
)


def main() -> int:
    options = _parse_options()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for warning in list_warnings():
            print(f"Warning: {warning}", file=sys.stderr)
        reset(options.data)
        return _play_all(options.data)
    except DemoProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    finally:
        end_orphans()


def _play_all(data_dir: Path) -> int:
    demo = Demo(data_dir, port=0, seed=False)
    demo.house.make_folders()
    write_accounts(demo.house.accounts_file, load_city(DEFAULT_CITY))
    with demo:
        tour = _prepare(demo)
        try:
            for title, step in STEPS:
                tour.play(title, step)
                demo.check()
            report.print_marks(tour)
        except (TourFailure, httpx.HTTPError) as failure:
            tour.claim(False, str(failure) or repr(failure))
            traceback.print_exc(limit=-3)
        finally:
            tour.watch.end()
        report.print_memory(tour)
    return _conclude(tour)


def _prepare(demo: Demo) -> Tour:
    template = list_templates(REPOSITORY / "course_templates")[0]
    return Tour(
        demo=demo,
        template=template,
        template_dir=REPOSITORY / "course_templates" / template.name,
        roster_file=ROSTER_FILE,
        teacher_email=SAMPLE_TEACHER,
        students=list_students(ROSTER_FILE, opening_steps.CLASS_NAME),
        watch=WorkspaceWatch(demo.house.homes_dir),
        csv_file=demo.house.data_dir / "marks.csv",
    )


def _conclude(tour: Tour) -> int:
    if not tour.failures:
        print("\nEvery claim of the tour holds.")
        return 0
    print(f"\n{len(tour.failures)} claims do not hold (logs: {tour.demo.house.logs_dir}):")
    for failure in tour.failures:
        print(f"  - {failure}")
    return 1


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.tour", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=REPOSITORY / ".data" / "tour", help="emptied before, kept after the tour"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
