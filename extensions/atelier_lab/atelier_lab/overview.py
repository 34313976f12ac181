"""What the sidebar shows: the account, its courses and their assignments, joined with the local files."""

import asyncio
from typing import Any

from atelier_lab.folders import describe_folder, is_slug, list_feedback
from atelier_lab.service import Service
from atelier_lab.workspace import Workspace


async def load_overview(workspace: Workspace, service: Service, language: str) -> dict[str, Any]:
    """Ask the service who this account is and what it has to do. Raises as `Service.get` does."""
    me = await service.get("me", language)
    courses = [course for course in me["courses"] if is_slug(course.get("slug"))]
    lists = await asyncio.gather(
        *(service.get(f"courses/{c['slug']}/assignments", language) for c in courses)
    )
    return {
        "account": me["account"],
        "kind": me["kind"],
        "display_name": me["display_name"],
        "pages_url": workspace.pages_url,
        "zone": workspace.zone,
        "courses": [
            course | {"assignments": _add_local(workspace, course["slug"], assignments)}
            for course, assignments in zip(courses, lists, strict=True)
        ],
    }


def _add_local(workspace: Workspace, course: str, assignments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each assignment with its folder, notebooks and fetched feedback in this workspace."""
    return [
        assignment
        | describe_folder(workspace.home, course, assignment["name"])
        | {"feedback_files": list_feedback(workspace.home, course, assignment["name"])}
        for assignment in assignments
        if is_slug(assignment.get("name"))
    ]
