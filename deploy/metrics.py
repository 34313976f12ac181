"""Numbers for the node exporter's textfile collector: what no process of Atelier's could tell."""

from pathlib import Path


def write_metrics(folder: Path, name: str, values: dict[str, tuple[str, float]]) -> None:
    """Write ``<folder>/<name>.prom`` at once: metric → (meaning, value). A reader never sees half of it."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    lines = []
    for metric, (meaning, value) in values.items():
        lines += [f"# HELP {metric} {meaning}", f"# TYPE {metric} gauge", f"{metric} {value:.0f}"]
    draft = folder / f"{name}.prom.part"
    draft.write_text("\n".join(lines) + "\n")
    draft.chmod(0o644)
    draft.replace(folder / f"{name}.prom")
