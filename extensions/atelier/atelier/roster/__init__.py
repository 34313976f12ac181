"""The roster: who is in the city's schools, classes and courses, and who may sign in as whom."""

from atelier.roster.accounts import AccountView, choose_color, find_account, make_initials
from atelier.roster.courses import (
    CourseRole,
    RosterCourse,
    RosterStudent,
    is_student,
    is_teacher,
    list_courses_of,
    list_students,
    list_teachers,
)
from atelier.roster.people import (
    change_address,
    deactivate,
    end_enrolment,
    find_class,
    find_person,
    find_person_by_email,
    list_classes,
    list_people,
    note_change,
    reactivate,
    release_address,
    rename,
)
from atelier.roster.roster_file import RosterFile, RosterProblem, RosterRow, read_roster
from atelier.roster.roster_import import ImportReport, RowChange, run_import
from atelier.roster.sign_in import Refusal, RefusalCode, SignInAttempt, sign_in

__all__ = [
    "AccountView",
    "CourseRole",
    "ImportReport",
    "Refusal",
    "RefusalCode",
    "RosterCourse",
    "RosterFile",
    "RosterProblem",
    "RosterRow",
    "RosterStudent",
    "RowChange",
    "SignInAttempt",
    "change_address",
    "choose_color",
    "deactivate",
    "end_enrolment",
    "find_account",
    "find_class",
    "find_person",
    "find_person_by_email",
    "is_student",
    "is_teacher",
    "list_classes",
    "list_courses_of",
    "list_people",
    "list_students",
    "list_teachers",
    "make_initials",
    "note_change",
    "reactivate",
    "read_roster",
    "release_address",
    "rename",
    "run_import",
    "sign_in",
]
