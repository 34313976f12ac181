"""A returned notebook speaks the reader's language, and what people wrote in it stays as it is."""

from pathlib import Path

import nbgrader
import pytest
from atelier_nbgrader.feedback_words import list_phrases, translate_page

TEMPLATE = Path(nbgrader.__file__).parent / "server_extensions/formgrader/templates/feedback/index.html.j2"
PAGE = """<h4>krivata (Score: 22.5 / 24.0)</h4>
<li><a href="#a">Test cell</a> (Score: 1.0 / 1.0)</li>
<li class="late-penalty">Late submission penalty (Score: -2.0)</li>
<span class="nbgrader-label">Student's task</span>
<span class="pull-right">
      Score: 2.0 / 3.0 <a href="#top">(Top)</a>
</span>
<p>=== BEGIN MARK SCHEME === 3 точки: ясно. === END MARK SCHEME ===</p>
<div><b>Comments:</b> <p>No response.</p></div>
<div><b>Comments:</b> <p>Score: I like Test cell and Comments: too</p></div>"""


@pytest.fixture
def bulgarian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_LANGUAGE", "bg")


def test_each_phrase_stands_in_the_installed_template() -> None:
    template = TEMPLATE.read_text(encoding="utf-8")
    comment = "<p>No response.</p>"  # nbgrader writes this one into the gradebook itself
    phrases = [phrase.removesuffix(f" {comment}") for phrase in list_phrases()]
    assert [phrase for phrase in phrases if phrase not in template] == []
    assert "(Score: {{" in template
    assert ' <a href="#top">(Top)</a>' in template


@pytest.mark.usefixtures("bulgarian")
def test_the_frame_is_bulgarian_and_the_rubric_has_no_markers() -> None:
    page = translate_page(PAGE)
    assert "krivata (Точки: 22.5 / 24)" in page
    assert '<a href="#a">Автоматична проверка</a> (Точки: 1 / 1)' in page
    assert '<li class="late-penalty">Закъсняло предаване (Точки: -2)</li>' in page
    assert 'Точки: 2 / 3 <a href="#top">(нагоре)</a>' in page
    assert "<b>Бележки:</b> <p>Тук няма отговор.</p>" in page
    assert "<p><b>Критерии за оценяване:</b> 3 точки: ясно. </p>" in page


@pytest.mark.usefixtures("bulgarian")
def test_what_people_wrote_stays() -> None:
    assert "<p>Score: I like Test cell and Comments: too</p>" in translate_page(PAGE)


def test_an_english_page_stays_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_LANGUAGE", "en")
    assert "krivata (Points: 22.5 / 24)" in translate_page(PAGE)
