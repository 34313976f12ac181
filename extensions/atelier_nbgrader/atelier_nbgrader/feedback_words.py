"""The fixed English words of nbgrader's feedback page, in the reader's language.

nbgrader's template has no translation. Its words stand in markup of its own and are found by it; what a
student or teacher wrote is only text in the page and stays as it is. A phrase that a newer nbgrader words
differently stays English; a test compares the list with the template.
"""

import re

from atelier_nbgrader.language import translate as _

_SCORE = re.compile(
    r"(?P<before>\(|>\s*)Score: (?P<score>-?[\d.]+)(?P<rest> / (?P<most>[\d.]+))?"
    r"(?=\)</(?:li|h4)>| <a href=\"#top\">)"
)
_SCHEME = re.compile(r"=== BEGIN MARK SCHEME ===(?P<text>.*?)=== END MARK SCHEME ===", re.DOTALL)


def list_phrases() -> dict[str, str]:
    """Markup of nbgrader's template and what stands there instead."""
    label, late = '<span class="nbgrader-label">', '<li class="late-penalty">'
    comments = f"<b>{_('Comments')}:</b>"
    return {
        '<a href="#top">(Top)</a>': f'<a href="#top">({_("Top")})</a>',
        ">Test cell</a>": f">{_('Automatic check')}</a>",
        ">Coding free-response</a>": f">{_('Code that a person read')}</a>",
        ">Written response</a>": f">{_('Written answer')}</a>",
        ">Task</a>": f">{_('Task')}</a>",
        ">Comment</a>": f">{_('Comment')}</a>",
        f"{late}Late submission penalty": f"{late}{_('Late submission')}",
        f"{label}Student's answer</span>": f"{label}{_('Answer')}</span>",
        f"{label}Student's task</span>": f"{label}{_('Task')}</span>",
        f"{label}Grade cell: ": f"{label}{_('Automatic check')}: ",
        "<b>Comments:</b> <p>No response.</p>": f"{comments} <p>{_('There is no answer here.')}</p>",
        "<b>Comments:</b>": comments,
    }


def translate_page(page: str) -> str:
    """The feedback page with nbgrader's words in the workspace's language."""
    # Scores first: they are found by the English words' markup around them.
    page = _SCORE.sub(_word_score, page)
    for phrase, words in list_phrases().items():
        page = page.replace(phrase, words)
    return _SCHEME.sub(lambda found: f"<b>{_('Rubric')}:</b>{found['text']}", page)


def _word_score(found: re.Match[str]) -> str:
    score = found["score"].removesuffix(".0")
    if found["most"] is None:
        return f"{found['before']}{_('Points')}: {score}"
    return f"{found['before']}{_('Points')}: {score} / {found['most'].removesuffix('.0')}"
