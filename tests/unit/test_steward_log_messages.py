"""Every message of the steward has its example, cause and action in the operators' page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/log-messages.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "extensions/atelier/atelier/steward").glob("*.py"))
MESSAGE = re.compile(r"""(?:log\.\w+|_note_trouble)\(\s*f?"([a-z-]+):""")
WORDS = sorted({word for source in SOURCES for word in MESSAGE.findall(source.read_text(encoding="utf-8"))})


def test_the_messages_were_found():
    assert {"hub-silent", "order-failed", "closed"} <= set(WORDS)


@pytest.mark.parametrize("word", WORDS)
def test_a_message_is_documented_with_example_cause_and_action(word: str):
    section = PAGE.partition(f"### {word}\n")[2].partition("\n### ")[0]
    for part in (f"*Example:* `{word}:", "*Cause:*", "*Action:*"):
        assert part in section
