"""Every message of the web process has its example, cause and action in the operators' page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/log-messages.md").read_text(encoding="utf-8")
SOURCES = [
    source
    for room in ("exchange", "web")
    for source in sorted((ROOT / "extensions/atelier/atelier" / room).glob("*.py"))
]
MESSAGE = re.compile(r"""_log\.\w+\(\s*f?"([a-z-]+):""")
CALL = re.compile(r"_log\.(?:info|warning|error|exception)\(")
WORDS = sorted({word for source in SOURCES for word in MESSAGE.findall(source.read_text(encoding="utf-8"))})


def test_the_messages_were_found() -> None:
    assert {"stored", "refused", "no-space", "blob-lost", "hub-unreachable", "failed"} == set(WORDS)
    calls = sum(len(CALL.findall(source.read_text(encoding="utf-8"))) for source in SOURCES)
    assert calls == len(WORDS) + 1, "the access log is the one line that does not begin with a word"


@pytest.mark.parametrize("word", WORDS)
def test_a_message_is_documented_with_example_cause_and_action(word: str) -> None:
    section = PAGE.partition("## Web ")[2].partition(f"### {word}\n")[2].partition("\n### ")[0]
    for part in (f"*Example:* `{word}:", "*Cause:*", "*Action:*"):
        assert part in section
