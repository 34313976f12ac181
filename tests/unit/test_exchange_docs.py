"""docs/exchange.md says what the code does: every refusal and every limit."""

import re
from pathlib import Path

from atelier.exchange import archive, arrival, draining, identity, names, storing

from hub_config.city import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/exchange.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "extensions/atelier/atelier/exchange").glob("*.py"))
RAISED = re.compile(r'(?:ExchangeError|_answer)\(\s*(?:request,\s*)?(\d{3}),\s*"(\w+)"')
TABLE = re.compile(r"^\| (\d{3}) \| ([^|]+) \|", re.MULTILINE)


def list_documented() -> set[tuple[str, str]]:
    rows = TABLE.findall(PAGE.partition("## Refusals")[2].partition("\n## ")[0])
    return {(status, code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}


def test_every_refusal_is_documented_with_its_status_and_none_is_invented() -> None:
    raised = {found for source in SOURCES for found in RAISED.findall(source.read_text(encoding="utf-8"))}
    assert len(raised) > 15, "the pattern no longer finds them"
    assert raised == list_documented()


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()
    for text in (
        f"| {limits.archive_max_mb} MB | `archive_max_mb`",
        f"| {limits.archive_unpacked_max_mb} MB | `archive_unpacked_max_mb`",
        f"| {limits.archive_max_files} | `archive_max_files`",
        f"| {archive.BOMB_RATIO} : 1, once {archive.BOMB_FLOOR_BYTES >> 20} MiB are unpacked |",
        f"| {names.MAX_NAME_BYTES} bytes, {names.MAX_PATH_BYTES} bytes, {names.MAX_DEPTH} |",
        f"| uploads of one account at once | {arrival.UPLOADS_PER_ACCOUNT} |",
        f"| submissions of one account | {storing.SUBMISSIONS_PER_HOUR} an hour |",
        f"| bytes that one account submits | {storing.WHOLE_ARCHIVES_PER_DAY} times `archive_max_mb`",
        f"| silence while sending | {arrival.IDLE_S:.0f} s |",
        f"for {draining.DRAIN_S:.0f} s at most",
        f"kept for {identity.CACHE_S:.0f} s",
    ):
        assert text in PAGE, text
