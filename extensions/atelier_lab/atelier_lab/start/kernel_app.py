"""ipykernel's application, as Atelier's workspaces start it."""

import sys
from pathlib import Path

from ipykernel.kernelapp import IPKernelApp


class KernelApp(IPKernelApp):
    """A kernel that was started with -P."""

    def init_path(self) -> None:
        """Let notebooks import from their own folder, as IPython does without -P: after Python's library.

        Only the kernel's start must not.
        """
        if "" in sys.path or self.ignore_cwd:
            return
        ends = ("site-packages", "dist-packages")
        places = [place for place, path in enumerate(sys.path) if Path(path).name in ends]
        sys.path.insert(min(places, default=0), "")
