"""The conductor's process: a request on standard input, the answers on standard output."""

import ctypes
import json
import resource
import signal
import sys

from atelier_nbgrader.conductor.conducting import run

PR_SET_PDEATHSIG = 1


def _protect_own_process() -> None:
    """Die with the parent, and bound what a flood of messages can make of this process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    _protect_own_process()
    request = json.load(sys.stdin)
    sys.stdout.write(json.dumps(run(request)))


if __name__ == "__main__":
    main()
