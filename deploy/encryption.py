"""Backups are encrypted with age, for a public key: the machine that makes them cannot read them.

Why age: docs/decisions/backups.md. Without a recipient the file is plain, with mode 0600.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deploy.problem import DeployProblem

AGE_MAGIC = b"age-encryption.org/"


@contextmanager
def open_encrypted(path: Path, recipient: str | None) -> Iterator[IO[bytes]]:
    """A stream whose bytes end in `path`, encrypted for an age recipient or a file of recipients if given."""
    with os.fdopen(_create_private(path), "wb") as file:
        if recipient is None:
            yield file
            return
        how = ["-R", recipient] if Path(recipient).is_file() else ["-r", recipient]
        process = subprocess.Popen([_find_age(), *how], stdin=subprocess.PIPE, stdout=file)
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                yield process.stdin
        finally:
            with contextlib.suppress(BrokenPipeError):  # age has ended; its exit code says why
                process.stdin.close()
            code = process.wait()
        if code:
            raise DeployProblem(
                "age could not encrypt the backup (its own words stand above)",
                "give an age public key (age1…) or a file of them as BACKUP_KEY; `age-keygen` makes a pair",
            )


@contextmanager
def open_decrypted(path: Path, identity: Path | None) -> Iterator[IO[bytes]]:
    """A stream of a backup's plain bytes. `identity` is the file with the age private key."""
    with path.open("rb") as file:
        # pread: age goes on reading where this process would have stopped.
        encrypted = os.pread(file.fileno(), len(AGE_MAGIC), 0) == AGE_MAGIC
        if not encrypted:
            yield file
            return
        if identity is None:
            raise DeployProblem(
                f"{path.name} is encrypted", "give the file with the private key: IDENTITY=/path/to/key.txt"
            )
        process = subprocess.Popen(
            [_find_age(), "-d", "-i", str(identity)], stdin=file, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            yield process.stdout
            process.stdout.read()  # to its end: only then does age say that all was genuine
        finally:
            process.stdout.close()
            code = process.wait()
        if code:
            raise DeployProblem(
                "age could not decrypt the backup (its own words stand above)",
                "use the private key that belongs to the backup's public key; if it is, the file is damaged",
            )


def _create_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def _find_age() -> str:
    found = shutil.which("age")
    if not found:
        raise DeployProblem("age is not installed", "apt-get install age")
    return found
