"""The hub's pages speak both languages completely, and logs keep secrets."""

import logging
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import hub_config
from hub_config.accounts import SignInRefused
from hub_config.log_secrets import SecretsFilter, hide_secrets
from hub_config.refusals import REFUSALS, find_refusal
from hub_config.texts import LANGUAGES, find_language, load_texts

PACKAGE = Path(hub_config.__file__).parent


def list_messages() -> set[str]:
    keywords = {"gettext": None, "ngettext": (1, 2), "N_": None, "_": None}
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    found = extract_from_dir(PACKAGE, method_map=methods, keywords=keywords)
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_every_text_has_a_bulgarian_translation() -> None:
    messages = list_messages()
    assert len(messages) > 50
    texts = load_texts("bg")
    assert sorted(message for message in messages if texts.gettext(message) == message) == []


def test_refusals_cover_the_codes_of_the_contract() -> None:
    contract = {"personal_account", "other_domain", "unverified", "not_on_roster", "deactivated"}
    contract |= {"address_taken", "no_email"}
    assert contract | {"cancelled", "lost_state", "provider_down", "service_down"} <= set(REFUSALS)
    assert all(refusal.status < 500 or refusal.status == 503 for refusal in REFUSALS.values())


def test_code_that_nobody_knows_has_a_page_too() -> None:
    assert find_refusal(SignInRefused("<script>").code) is REFUSALS["unknown"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", sorted(path.name for path in (PACKAGE / "templates").glob("*.html")))
@pytest.mark.parametrize(
    "context",
    [{"status_code": status, "failed": status > 500} for status in (400, 403, 404, 405, 500, 503)],
    ids=lambda context: str(context["status_code"]),
)
def test_every_page_shows_in_both_languages_and_quotes_nothing_hostile(
    template: str, language: str, context: dict[str, object]
) -> None:
    environment = Environment(
        loader=FileSystemLoader(PACKAGE / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
    )
    hostile = "<script>EVIL</script>"
    page = environment.get_template(template).render(
        gettext=load_texts(language).gettext,
        language=language,
        static_url=lambda path: f"/hub/static/{path}",
        base_url="/hub/",
        my_work_url="http://service/",
        authenticator_login_url="/hub/oauth_login?next=" + hostile,
        progress_url="/hub/api/users/x/server/progress",
        spawn_url="/hub/spawn/x",
        refusal=REFUSALS["not_on_roster"],
        code="not_on_roster",
        isolates=False,
        contact=hostile,
        message=hostile,
        message_html=hostile,
        failed_message=hostile,
        **context,
    )
    assert f'<html lang="{language}">' in page
    assert hostile not in page


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "bg"),
        ("", "bg"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("bg-BG,bg;q=0.9,en;q=0.8", "bg"),
        ("de,en;q=0.5", "en"),
        ("de,fr", "bg"),
        ("en;q=0,bg;q=0.1", "bg"),
        ("bg;q=0.5,en;q=0.9", "en"),
        ("en;q=x", "bg"),
    ],
)
def test_browsers_wish_decides_the_language(header: str | None, expected: str) -> None:
    assert find_language(header) == expected


@given(st.text(max_size=200))
def test_any_header_gives_one_of_our_languages(header: str) -> None:
    assert find_language(header) in LANGUAGES


@pytest.mark.parametrize(
    "line",
    [
        "400 GET /hub/oauth_callback?code=s3cretvalue&state=s3cretvalue (127.0.0.1): bad",
        "Location: http://h/?next=%2Fhub%3Fstate%3Ds3cretvalue",
        "{'access_token': 's3cretvalue', 'token_type': 'Bearer'}",
        '{"id_token": "s3cretvalue"}',
        "Setting new xsrf cookie for b's3cretvalue:abc' {}",
    ],
)
def test_secret_values_are_hidden(line: str) -> None:
    assert "s3cretvalue" not in hide_secrets(line)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=8, max_size=60))
def test_code_in_a_logged_address_is_hidden(code: str) -> None:
    hidden = hide_secrets(f"/hub/oauth_callback?iss=x&code={code}&state=y")
    assert f"code={code}" not in hidden


def test_filter_rewrites_arguments_and_leaves_out_tracebacks_with_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("test_hub_texts")
    logger.addFilter(SecretsFilter())
    try:
        raise ValueError("no user info at /userinfo?access_token=s3cretvalue")
    except ValueError:
        logger.exception("failed at %s", "/oauth_callback?code=s3cretvalue")
    assert "s3cretvalue" not in caplog.text
    assert "failed at" in caplog.text
