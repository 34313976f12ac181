"""nbgrader in a workspace of Atelier; see atelier_nbgrader.config."""

import os

from atelier_nbgrader.config import add_own_programs, configure

add_own_programs(os.environ)
configure(get_config(), os.environ)  # noqa: F821 - given by traitlets
