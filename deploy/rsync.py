"""Copying one home into a snapshot with rsync, which walks by path while the home's owner changes it.

A folder that becomes a link after rsync has listed it would lead root outside, and what is there into a
snapshot. So root copies from a view of the home in which the kernel follows no link at all (`nosymfollow`,
since Linux 5.10): a mount of its own, which nobody else sees and which ends with rsync. Links are copied as
links.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.problem import DeployProblem

# What rsync ends with: files vanished meanwhile; something could not be read, or nothing moved for long.
VANISHED, OWN_PROBLEMS = 24, (23, 30)
SILENT_S = 300
# For one home; the next snapshot goes on where this one was ended.
COPY_WITHIN_S = 600
TIMED_OUT = (124, 137)  # of `timeout`: ended in time, killed
NO_VIEW = (1, 97)  # of `unshare`, of the script below
LONGEST_PATTERN = 4000  # rsync leaves a pattern of 4096 bytes away
LONGEST_WORDS = 500
LEFT_OUT = (".cache", ".local/share/jupyter/runtime")
KEPT_AS = ("-aHX", "--sparse", "--numeric-ids", "--no-devices", "--no-specials")
# Over itself, in a mount namespace of its own: paths stay what they are. An older mount(8) or kernel may take
# the word and do nothing, so the view is looked at.
_IN_A_VIEW = f"""
home=$1; shift
mount --no-mtab -o bind,ro,nosuid,nodev,nosymfollow -- "$home" "$home" || exit {NO_VIEW[-1]}
case ",$(findmnt --noheadings --output OPTIONS --mountpoint "$home" | tail -n 1)," in
*,nosymfollow,*) exec "$@" ;;
esac
echo "the mount follows links" >&2
exit {NO_VIEW[-1]}
"""


def copy_home(home: Path, target: Path, linked: Path | None, left_out: list[str]) -> str | None:
    """Copy a home, without the paths in `left_out`; what did not change since `linked` is linked to it.

    Returns what is wrong with this home, if something is. Raises DeployProblem for what concerns all.
    """
    done = _run_rsync(home, target, linked, left_out)
    if done.returncode in TIMED_OUT:
        return f"ended after {COPY_WITHIN_S} s, the next snapshot goes on"
    if done.returncode in OWN_PROBLEMS:
        return shorten(done.stderr)
    if done.returncode in NO_VIEW:
        raise DeployProblem(
            f"homes cannot be copied without following links: {shorten(done.stderr)}",
            "needs root with the right to mount, Linux 5.10 and util-linux 2.38, as in Debian 12",
        )
    if done.returncode not in (0, VANISHED):
        raise DeployProblem(f"rsync failed for {target.name}: {shorten(done.stderr)}", "is the disk full?")
    return None


def _run_rsync(
    home: Path, target: Path, linked: Path | None, left_out: list[str]
) -> "subprocess.CompletedProcess[str]":
    if not shutil.which("rsync"):
        raise DeployProblem("rsync is not installed", "apt-get install rsync")
    # A file that becomes a pipe at the wrong moment would hold rsync for ever.
    command = ["rsync", *KEPT_AS, f"--timeout={SILENT_S}", *(f"--exclude=/{name}/" for name in LEFT_OUT)]
    command += [f"--link-dest={linked}"] if linked and linked.is_dir() else []
    command += ["--from0", "--exclude-from=-", f"{home}/", f"{target}/"]
    # Who is not root reaches through links what is his own anyway, and may not mount.
    view = ["unshare", "--mount", "sh", "-c", _IN_A_VIEW, "sh", str(home)] if os.geteuid() == 0 else []
    return subprocess.run(
        ["timeout", "--foreground", "--kill-after=10", str(COPY_WITHIN_S), *view, *command],
        input="".join(f"{write_pattern(path)}\0" for path in left_out),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def write_pattern(path: str) -> str:
    """Write a path so that rsync takes it by the letter: a backslash counts only beside a wildcard.

    Where that is too long for rsync, "?" stands for each odd letter: files beside it whose names differ in
    these letters only are left out as well.
    """
    if not any(letter in path for letter in "*?["):
        return f"/{path}"
    pattern = "/" + re.sub(r"([*?\[\\])", r"\\\1", path)
    return pattern if len(os.fsencode(pattern)) < LONGEST_PATTERN else "/" + re.sub(r"[*?\[\\]", "?", path)


def shorten(text: str) -> str:
    """Return one line of a program's words, fit to be shown: names in it were chosen by students."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return plain if len(plain) <= LONGEST_WORDS else f"{plain[:LONGEST_WORDS]}…"
