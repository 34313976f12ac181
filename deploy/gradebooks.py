"""Consistent copies of the gradebooks in course workspaces, which nbgrader may be writing at this moment.

SQLite opens more than the file it is given (a journal beside it), and that folder belongs to teachers. So it
runs as the file's owner and not as root, and answers with the copy's bytes.
"""

import os
import subprocess
import sys
from pathlib import Path

from deploy.homes import Home
from deploy.inside import open_folder, split_path

GRADEBOOK = "gradebook.db"
MAGIC = b"SQLite format 3\0"
COPY_WITHIN_S = 60
# Debian's Python, isolated: nothing in a home or of this checkout is imported in the owner's name.
SYSTEM_PYTHON = Path("/usr/bin/python3")
# No gradebook is so large, and what calls itself one shall not take the machine's memory.
MOST_MEMORY_BYTES = 2 << 30
_COPY = f"""
import resource, sqlite3, sys
resource.setrlimit(resource.RLIMIT_AS, ({MOST_MEMORY_BYTES}, {MOST_MEMORY_BYTES}))
source = sqlite3.connect("file:" + sys.argv[1] + "?mode=rw", uri=True, timeout=20)
copy = sqlite3.connect(":memory:")
source.backup(copy)
sys.stdout.buffer.write(copy.serialize())
"""


def is_gradebook(account: str, path: str, descriptor: int) -> bool:
    """Tell whether a file of a home is a course's gradebook: ``<course>/gradebook.db`` and nothing deeper.

    Deeper lie submissions. SQLite believes the journal beside a database: a student's could have it remove
    the teacher's files.
    """
    *folders, name = path.split("/")
    if not account.startswith("course-") or name != GRADEBOOK or len(folders) > 1:
        return False
    try:
        return os.pread(descriptor, len(MAGIC), 0) == MAGIC
    except OSError:  # the copy will say so
        return False


def copy_gradebook(home: Home, path: str) -> bytes | None:
    """Return a consistent copy of a gradebook, or None when SQLite could not make one in time.

    It runs where the folder is, and not where its name leads by now, with the rights of the home's owner.
    """
    try:
        with open_folder(home.folder, split_path(path)[:-1]) as folder:
            owner = os.stat(GRADEBOOK, dir_fd=folder, follow_symlinks=False)
            user, group = (owner.st_uid, owner.st_gid) if home.owner is None else (home.owner, home.owner)
            return _copy_as(user, group, home.folder, f"/proc/self/fd/{folder}")
    except (subprocess.TimeoutExpired, OSError):
        return None


def _copy_as(user: int, group: int, home: Path, folder: str) -> bytes | None:
    as_owner: dict[str, object] = {}
    if os.geteuid() == 0 and user != 0:
        as_owner = {"user": user, "group": group, "extra_groups": _find_groups_on_the_way(home)}
    python = SYSTEM_PYTHON if SYSTEM_PYTHON.exists() else Path(sys.executable)
    done = subprocess.run(
        [str(python), "-I", "-c", _COPY, GRADEBOOK],
        cwd=folder,
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=COPY_WITHIN_S,
        check=False,
        **as_owner,  # type: ignore[call-overload]
    )
    content: bytes = done.stdout
    return content if done.returncode == 0 and content.startswith(MAGIC) else None


def _find_groups_on_the_way(folder: Path) -> list[int]:
    """Return groups that may walk to the folder: Docker's own folders let only its group of users pass."""
    return sorted({parent.stat().st_gid for parent in folder.parents if not parent.stat().st_mode & 0o001})
