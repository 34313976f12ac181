"""Runs a student's cells where they can reach nothing.

Three processes, each trusting the next one less
(see docs/decisions/student-code-is-conducted-from-outside.md):

* nbgrader's autograde (`run.py`): builds the request, takes only validated outputs back;
* the conductor (`atelier_nbgrader.conductor`): an ordinary process without environment that asks the kernel
  for one cell after the other and writes down what it answers;
* the kernel (`launch.py` starts it): inside bubblewrap, with the student's files only.
"""

from atelier_nbgrader.sandbox.bubblewrap import SandboxUnavailable, check_sandbox
from atelier_nbgrader.sandbox.limits import Limits
from atelier_nbgrader.sandbox.run import GradingProblem, run_cells

__all__ = ["GradingProblem", "Limits", "SandboxUnavailable", "check_sandbox", "run_cells"]
