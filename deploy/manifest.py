"""A backup's manifest: what is in it, with every file's SHA-256, and what is not as it should be.

It is read as one piece, so it has a largest size; and since people choose how many files they have and how
long the names are, each home has a share of it. Otherwise one home could make every backup impossible to
read.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from deploy.problem import DeployProblem

FORMAT = 1
LARGEST_MANIFEST_BYTES = 512 << 20
# About 80,000 files with Latin names as people choose them, 30,000 with long Cyrillic ones: nobody's work.
HOME_BYTES = 16 << 20
# Of each home, once half of the manifest is full: many homes together do not fill it either.
FRUGAL_HOME_BYTES = 1 << 20
# What JSON adds to a file's name: its size, its SHA-256 and the signs between them.
ROW_BYTES = 128
MOST_NOTES, LONGEST_NAME = 100, 200


@dataclass
class Manifest:
    """What is in a backup. `files`: path → [size in bytes, SHA-256]; `homes`: account → user number in the
    container or None; `rows`: rows by table of the service's database; `notes`: what is not as it should be.
    """

    made_at: str
    version: str
    schema: str | None = None
    format: int = FORMAT
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    homes: dict[str, int | None] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def dump(self) -> bytes:
        """Return JSON. File names with odd bytes come through as escaped surrogates."""
        return json.dumps(asdict(self), indent=1).encode("ascii")


def load_manifest(content: bytes) -> Manifest:
    """Return the manifest of JSON. Raises DeployProblem for one of a newer format or without sense."""
    try:
        values: dict[str, Any] = json.loads(content)
        files = {name: (int(size), str(sha256)) for name, (size, sha256) in values.pop("files").items()}
        manifest = Manifest(**values, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeployProblem("the backup's manifest cannot be read", "use another backup") from error
    if manifest.format != FORMAT:
        raise DeployProblem(
            f"the backup has format {manifest.format}, this version reads {FORMAT}",
            f"restore it with Atelier {manifest.version}",
        )
    return manifest


@dataclass
class Share:
    """What one home may still take of the manifest. Once something did not fit, nothing more does: what is
    there is the beginning of a home, and not a choice of it.
    """

    name: str
    left_bytes: int
    left_out: int = 0
    notes: int = 0

    def take(self, row_bytes: int) -> bool:
        """Tell whether one more row has room."""
        if self.left_out or row_bytes > self.left_bytes:
            self.left_out += 1
            return False
        self.left_bytes -= row_bytes
        return True

    def summarize(self) -> list[str]:
        """Return the notes that stand for all that had no room."""
        hidden = self.notes - MOST_NOTES
        return [
            *([f"{hidden} more notes: {self.name}"] if hidden > 0 else []),
            *(
                [f"left out, too many or too long names: {self.left_out} of {self.name}"]
                * bool(self.left_out)
            ),
        ]


def measure_row(name: str) -> int:
    """Return how many bytes of the manifest a file's row takes at most."""
    return len(json.dumps(name)) + ROW_BYTES


def find_share(used_bytes: int) -> int:
    """Return how many bytes of the manifest the next home may take."""
    return HOME_BYTES if used_bytes < LARGEST_MANIFEST_BYTES // 2 else FRUGAL_HOME_BYTES


def check_size(content: bytes) -> None:
    """Raise DeployProblem for a manifest that no restore would read."""
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise DeployProblem(
            f"the list of files in this backup is {len(content) >> 20} MiB long; a restore reads "
            f"{LARGEST_MANIFEST_BYTES >> 20} MiB, so the backup was not kept",
            "find the homes with the most files (du --inodes) and have them tidied up; `files` in city.yaml "
            "says how many an account may keep",
        )


def shorten_name(name: str) -> str:
    """Return a name as a note has it. It may be as long, and as odd, as its owner liked."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
