"""Projects: course templates, courses started from them, teams, assignments and deadlines."""

from atelier.projects.assignments import (
    ensure_assignment,
    find_assignment,
    get_assignment,
    list_assignments,
    set_due,
    set_due_instant,
    show_due,
)
from atelier.projects.course_classes import add_class, list_other_classes
from atelier.projects.course_projects import create_project, find_project, list_projects
from atelier.projects.courses import create_course, find_course, find_free_slug, list_courses, start_course
from atelier.projects.errors import AmbiguousTime, NonexistentTime, NotFound, ProjectError, TemplateError
from atelier.projects.local_time import make_instant
from atelier.projects.slugs import make_slug
from atelier.projects.teams import (
    create_team,
    dissolve_team,
    find_team,
    find_team_of,
    form_teams,
    list_members,
    list_students_without_team,
    list_teams,
    list_teams_of,
    rename_team,
    set_team_members,
)
from atelier.projects.template import Plan, Template, find_template, list_templates, load_template

__all__ = [
    "AmbiguousTime",
    "NonexistentTime",
    "NotFound",
    "Plan",
    "ProjectError",
    "Template",
    "TemplateError",
    "add_class",
    "create_course",
    "create_project",
    "create_team",
    "dissolve_team",
    "ensure_assignment",
    "find_assignment",
    "find_course",
    "find_free_slug",
    "find_project",
    "find_team",
    "find_team_of",
    "find_template",
    "form_teams",
    "get_assignment",
    "list_assignments",
    "list_courses",
    "list_members",
    "list_other_classes",
    "list_projects",
    "list_students_without_team",
    "list_teams",
    "list_teams_of",
    "list_templates",
    "load_template",
    "make_instant",
    "make_slug",
    "rename_team",
    "set_due",
    "set_due_instant",
    "set_team_members",
    "show_due",
    "start_course",
]
