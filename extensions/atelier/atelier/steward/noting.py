"""A file for Prometheus' node exporter: the steward listens on no port where it could be asked."""

from collections.abc import Callable
from pathlib import Path

NAME = "atelier_steward.prom"
METRIC = "atelier_steward_last_round_timestamp_seconds"


def make_note(folder: Path | None, clock: Callable[[], float]) -> Callable[[], None]:
    """Return what is called after each full comparison; without a folder it does nothing."""

    def note() -> None:
        if folder is None:
            return
        draft = folder / f"{NAME}.part"
        lines = [
            f"# HELP {METRIC} When rights were last compared as a whole.",
            f"# TYPE {METRIC} gauge",
            f"{METRIC} {clock():.0f}",
        ]
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(0o644)
        draft.replace(folder / NAME)

    return note
