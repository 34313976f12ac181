# Every Jupyter server of this environment reads this file: Atelier's defaults for the kind of workspace.
import os

from atelier_lab.lab_config import configure

configure(get_config(), os.environ)  # noqa: F821
