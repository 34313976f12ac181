"""Server-rendered pages: My work, Course, and the service's own sign-in.

`install` adds them to the web process's app. Every route stands behind `guard.check_request`; what a visitor
has no right to is the same 404 as what does not exist.
"""

from fastapi import Depends, FastAPI

from atelier.pages import (
    answers,
    course_pages,
    elsewhere,
    lesson_pages,
    mark_pages,
    people_pages,
    sign_in,
    start_pages,
    work_pages,
)
from atelier.pages.guard import check_request
from atelier.pages.site import HUB_CSS_DIR, STATIC_DIR, Site, static_version
from atelier.pages.static_files import mount_static_files
from atelier.services import Services
from atelier.settings import SERVICE_PREFIX

__all__ = ["HUB_CSS_DIR", "STATIC_DIR", "install", "static_version"]

ROUTERS = (
    sign_in.router,
    work_pages.router,
    course_pages.router,
    people_pages.router,
    lesson_pages.router,
    mark_pages.router,
    start_pages.router,
    elsewhere.router,
)


def install(app: FastAPI, services: Services) -> None:
    """Add all pages below the service's prefix, their static files and their error pages."""
    app.state.site = Site(services)
    mount_static_files(app)
    for router in ROUTERS:
        app.include_router(
            router,
            prefix=SERVICE_PREFIX.rstrip("/"),
            dependencies=[Depends(check_request)],
            include_in_schema=False,
        )
    answers.set_answers(app)
