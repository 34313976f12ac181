"""nbgrader in a workspace of Atelier; see atelier_nbgrader.config."""

import os

from atelier_nbgrader.config import add_own_programs, configure, quiet_known_warnings

add_own_programs(os.environ)
quiet_known_warnings()
configure(get_config(), os.environ)  # noqa: F821 - given by traitlets
