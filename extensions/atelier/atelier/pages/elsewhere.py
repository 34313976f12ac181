"""Every address below our prefix that no other route has; the last of the routers."""

from fastapi import APIRouter

from atelier.pages.answers import Absent
from atelier.pages.guard import CurrentVisitor

router = APIRouter()


@router.api_route("/{rest:path}", methods=["GET", "POST"])
def show_nothing(visitor: CurrentVisitor, rest: str) -> None:
    """Absent, on the very page of what exists and is not the visitor's."""
    raise Absent
