"""Steps that are put into nbgrader's converters through its traits."""

from atelier_nbgrader.preprocessors.hide_tests import HideTests
from atelier_nbgrader.preprocessors.record_graded import RecordGraded
from atelier_nbgrader.preprocessors.restore_cells import RestoreCells
from atelier_nbgrader.preprocessors.sandboxed_execute import SandboxedExecute
from atelier_nbgrader.preprocessors.sanitize import SanitizeNotebook

__all__ = ["HideTests", "RecordGraded", "RestoreCells", "SandboxedExecute", "SanitizeNotebook"]
