"""A full home or a full disk, told in one sentence."""

import errno

from atelier_nbgrader.language import translate as _

# In a full home no file may grow beyond a size (EFBIG), or the file system itself refuses (EDQUOT): how, says
# the hub's disk quota.
NO_ROOM = (errno.EFBIG, errno.EDQUOT, errno.ENOSPC)


def is_about_room(error: BaseException) -> bool:
    """Tell whether an error is the kernel's word that nothing more can be written."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def describe(error: BaseException) -> str:
    """An error's own words; what to do, when there is no room."""
    if is_about_room(error):
        return _(
            "There is no space left in this workspace. Delete files that you do not need, then try again."
        )
    return str(error)
