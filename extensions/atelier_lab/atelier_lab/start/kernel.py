"""A Python kernel: ipykernel's own, with a debugger that is imported when somebody debugs.

``python -P -m atelier_lab.start.kernel -f <connection file>`` takes the same arguments as
`ipykernel_launcher`. `KernelSpecs` puts it in the place of the latter.
"""

import os
import sys
from importlib.metadata import version
from typing import Any

from atelier_lab.start.on_demand import uncollected

ORDINARY = "ipykernel_launcher"
KNOWN_IPYKERNEL = "7.4."


def import_kernel() -> tuple[type, dict[str, Any]]:
    """Import what runs in every kernel. Returns the application and what it is made with."""
    with uncollected():
        from atelier_lab.start.kernel_app import KernelApp

        if not version("ipykernel").startswith(KNOWN_IPYKERNEL):
            return KernelApp, {}
        from atelier_lab.start.debugger import Kernel, stand_in_for_debugger

        return KernelApp, {"kernel_class": Kernel} if stand_in_for_debugger() else {}


def main() -> None:
    """Start the kernel; when that fails before it has begun, as the stock does."""
    try:
        application, made_with = import_kernel()
    except Exception as error:  # noqa: BLE001 - whatever it is, the notebook must get its kernel
        print(f"atelier-start: {ORDINARY} is started as it is: {error!r}", file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, "-m", ORDINARY, *sys.argv[1:]])  # noqa: S606
    application.launch_instance(**made_with)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
