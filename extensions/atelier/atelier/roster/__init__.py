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
    find_person,
    find_person_by_email,
    list_classes,
    list_people,
    note_change,
    reactivate,
)
from atelier.roster.sign_in import Refusal, RefusalCode, SignInAttempt, sign_in

__all__ = [
    "AccountView",
    "CourseRole",
    "Refusal",
    "RefusalCode",
    "RosterCourse",
    "RosterStudent",
    "SignInAttempt",
    "change_address",
    "choose_color",
    "deactivate",
    "end_enrolment",
    "find_account",
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
    "sign_in",
]
