"""A file for Prometheus' node exporter: the steward listens on no port where it could be asked.

What stands in it says when rights were last compared as a whole. When it was last changed says when the
steward last looked whether something is due and met no trouble: in a large city full rounds are minutes
apart, looks are not (`healthcheck` in compose.yaml).
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAME = "atelier_steward.prom"
METRIC = "atelier_steward_last_round_timestamp_seconds"
LOOK_NOTED_EVERY_S = 10.0


@dataclass
class Note:
    """The note in `folder`; None: nothing is noted. `clock`: seconds since 1970. Methods raise OSError."""

    folder: Path | None
    clock: Callable[[], float]
    look_noted_at_s: float = 0.0

    def begin(self) -> None:
        """Make an earlier steward's note old: it is no sign that this one works."""
        self._set_changed(0.0)

    def note_round(self) -> None:
        """Note that rights have been compared as a whole."""
        if self.folder is None:
            return
        draft = self.folder / f"{NAME}.part"
        lines = [
            f"# HELP {METRIC} When rights were last compared as a whole.",
            f"# TYPE {METRIC} gauge",
            f"{METRIC} {self.clock():.0f}",
        ]
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(0o644)
        draft.replace(self.folder / NAME)

    def note_look(self) -> None:
        """Note that all that was due is done; about every ten seconds, however often it is called."""
        now_s = self.clock()
        if not 0 <= now_s - self.look_noted_at_s < LOOK_NOTED_EVERY_S:
            self.look_noted_at_s = now_s
            self._set_changed(now_s)

    def _set_changed(self, at_s: float) -> None:
        if self.folder is not None:
            with contextlib.suppress(FileNotFoundError):  # no full round yet
                os.utime(self.folder / NAME, (at_s, at_s))
