"""Addresses that leave the pages: workspaces, which the hub starts when they are not running."""

from urllib.parse import quote

from atelier.pages.site import Site
from atelier.store import course_account, team_account


def personal_workspace_url(site: Site, person_id: str) -> str:
    """Return the address that starts a person's own workspace and opens Lab in it."""
    return _spawn_url(site, person_id, f"/user/{person_id}/lab")


def team_workspace_url(site: Site, team_id: str, person_id: str) -> str:
    """Return the address of a team's workspace; each member has a Lab layout of their own in it."""
    account = team_account(team_id)
    return _spawn_url(site, account, f"/user/{account}/lab/workspaces/{person_id}")


def course_workspace_url(site: Site, course_id: str, person_id: str) -> str:
    """Return the address of a course's workspace, where its source notebooks are."""
    account = course_account(course_id)
    return _spawn_url(site, account, f"/user/{account}/lab/workspaces/{person_id}")


def grading_url(site: Site, course_id: str) -> str:
    """Return the address of formgrader itself; in a tab of Lab it stays blank under the hub's frame rules."""
    account = course_account(course_id)
    return _spawn_url(site, account, f"/user/{account}/formgrader/manage_assignments")


def _spawn_url(site: Site, account: str, path: str) -> str:
    # The hub's spawn page starts what is stopped, waits with a progress bar and goes on to `next`; a running
    # server is opened at once. A path, not an address: the hub itself knows on which host the account lives.
    return f"{site.hub_url}/hub/spawn/{account}?next={quote(path, safe='')}"
