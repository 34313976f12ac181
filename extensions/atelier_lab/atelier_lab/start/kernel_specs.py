"""Which kernels there are: what Jupyter finds, the environment's own Python started by `start.kernel`."""

import os
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.paths import jupyter_path
from traitlets import default

OWN_PYTHON = {"python", "python3", sys.executable}
STOCK = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
# -P: a student's file named random.py beside the notebook must not become a module of the kernel's start.
# `start.kernel_app` puts the folder back for what the notebook itself imports.
OURS = ["-P", "-m", "atelier_lab.start.kernel", "-f", "{connection_file}"]


class KernelSpecs(KernelSpecManager):
    """Jupyter's own list of kernels."""

    @default("kernel_dirs")
    def _kernel_dirs_default(self) -> list[str]:
        """The same folders as Jupyter's. It imports all of IPython to find the last one."""
        ipython = os.environ.get("IPYTHONDIR") or Path.home() / ".ipython"
        return [*jupyter_path("kernels"), str(Path(ipython) / "kernels")]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return a kernel's description. People's own kernels and other Pythons' stay as they are."""
        spec = super().get_kernel_spec(kernel_name)
        own = Path(spec.resource_dir).is_relative_to(sys.prefix) and spec.argv[0] in OWN_PYTHON
        if own and spec.argv[1:] == STOCK:
            spec.argv = [spec.argv[0], *OURS]
        return spec
