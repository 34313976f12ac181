"""The server extension of course workspaces: the course's folders at the start, and a guarded formgrader."""

from atelier_nbgrader.server.extension import load_extension

__all__ = ["load_extension"]
