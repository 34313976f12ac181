"""`make deploy` on an empty folder: settings once, secrets apart, a city file, folders, units."""

import datetime as dt
import stat
from pathlib import Path

import pytest

from deploy.first_time import deploy, prepare_city, prepare_town, read_answers
from deploy.problem import DeployProblem
from deploy.settings import HOLDERS, TownSettings, ask_settings, describe_compose, load_town_settings
from deploy.town import load_town
from hub_config.city import load_city

ANSWERS = {
    "domain": "atelier.example.bg",
    "google_client_id": "1234-abc.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "certificate": "files",
    "backup_key": "",
    "google_client_secret": "GOCSPX-secret",
}


def prepare(folder: Path, **changes: str) -> TownSettings:
    return prepare_town(folder, {**ANSWERS, **changes}, as_root=False)


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_settings_are_written_once_for_root_only(tmp_path: Path):
    prepare(tmp_path)
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600
    assert load_town_settings(tmp_path) == TownSettings(
        "atelier.example.bg", "1234-abc.apps.googleusercontent.com", "tech@school.example"
    )


def test_a_second_deployment_changes_nothing(tmp_path: Path):
    prepare(tmp_path)
    before = read_tree(tmp_path)
    prepare(tmp_path)
    prepare_town(tmp_path, {}, as_root=False)
    assert read_tree(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("domain", "other.example.bg", "settings.json"),
        ("google_client_secret", "other", "secrets/hub/atelier_google_client_secret"),
    ],
)
def test_an_answer_that_would_be_passed_over_is_named(tmp_path: Path, name: str, value: str, place: str):
    prepare(tmp_path)
    before = read_tree(tmp_path)
    with pytest.raises(DeployProblem, match=f"another {name} than {tmp_path}/{place}") as problem:
        prepare(tmp_path, **{name: value})
    assert ANSWERS[name] not in str(problem.value)
    assert read_tree(tmp_path) == before


def test_each_process_finds_its_own_secrets_and_no_others(tmp_path: Path):
    prepare(tmp_path)
    own = {
        "hub": {
            "atelier_google_client_secret",
            "atelier_web_hub_token",
            "atelier_hub_service_token",
            "atelier_steward_hub_token",
            "atelier_proxy_token",
            "atelier_metrics_token",
            "atelier_hub_database_url",
        },
        "web": {
            "atelier_web_hub_token",
            "atelier_hub_service_token",
            "atelier_metrics_token",
            "atelier_database_url",
        },
        "steward": {"atelier_steward_hub_token", "atelier_database_url"},
        "proxy": {"atelier_proxy_token"},
        "database": {"atelier_password", "hub_password"},
        "monitoring": {"atelier_metrics_token"},
    }
    folders = {path.name: {file.name for file in path.iterdir()} for path in (tmp_path / "secrets").iterdir()}
    assert folders == own
    for path in (tmp_path / "secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_shared_secret_is_the_same_for_its_holders_and_each_secret_is_another(tmp_path: Path):
    prepare(tmp_path)
    values = set()
    for name, holders in HOLDERS.items():
        found = {(tmp_path / "secrets" / holder / name).read_text() for holder in holders}
        assert len(found) == 1, name
        values |= found
    assert len(values) == len(HOLDERS)


def test_the_service_cannot_open_the_hubs_database(tmp_path: Path):
    prepare(tmp_path)
    hub_password = (tmp_path / "secrets/database/hub_password").read_text().strip()
    for holder in ("web", "steward"):
        assert hub_password not in (tmp_path / "secrets" / holder / "atelier_database_url").read_text()


def test_the_processes_understand_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The real settings classes read these folders, as the containers do."""
    from atelier.settings import StewardSettings, WebSettings

    from hub_config.settings import load_settings

    prepare(tmp_path)
    for name, value in {
        "CITY_FILE": str(tmp_path / "city.yaml"),
        "PUBLIC_URL": "https://atelier.example.bg",
        "DATA_DIR": "/srv/atelier",
        "GOOGLE_CLIENT_ID": "x",
        "BLOB_DIR": "/srv/atelier/blobs",
        "TEMPLATES_DIR": "/opt",
        "SECRETS_DIR": str(tmp_path / "secrets" / "hub"),
    }.items():
        monkeypatch.setenv(f"ATELIER_{name}", value)
    hub = load_settings()
    web = WebSettings(_secrets_dir=str(tmp_path / "secrets" / "web"))
    steward = StewardSettings(_secrets_dir=str(tmp_path / "secrets" / "steward"))
    assert hub.web_hub_token.get_secret_value() == web.web_hub_token.get_secret_value()
    assert hub.hub_database_url
    assert "/hub?" in hub.hub_database_url
    assert web.database_url == steward.database_url
    assert hub.google_client_secret.get_secret_value() == "GOCSPX-secret"


def test_backups_find_the_databases_and_every_secret(tmp_path: Path):
    prepare(tmp_path)
    town = load_town(tmp_path)
    assert town.database_url.endswith(f"@/atelier?host={tmp_path}/run/postgresql")
    assert town.hub_database_url.endswith(f"@/hub?host={tmp_path}/run/postgresql")
    files = {path for path in (tmp_path / "secrets").rglob("*") if path.is_file()}
    assert files <= set(town.secrets.values())


def test_the_first_city_file_is_valid_and_an_own_one_stays(tmp_path: Path):
    settings = prepare(tmp_path)
    city = load_city(tmp_path / "city.yaml")
    assert city.find_school_of_domain("school.example") is not None
    (tmp_path / "city.yaml").write_text("schools: {broken")
    with pytest.raises(DeployProblem, match="make deploy"):
        prepare_city(tmp_path / "city.yaml", settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "https://atelier.example.bg"),
        ("domain", "atelier"),
        ("domain", "a.example.bg\nATELIER_X=1"),
        ("google_client_id", "secret"),
        ("operator", "nobody"),
        ("certificate", "none"),
        ("backup_key", "AGE-SECRET-KEY-1"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_written(tmp_path: Path, name: str, value: str):
    with pytest.raises(DeployProblem, match=name):
        prepare(tmp_path / "town", **{name: value})
    assert not (tmp_path / "town").exists()


def test_all_wrong_answers_are_named_at_once():
    answers = dict.fromkeys(ANSWERS, "x")
    with pytest.raises(DeployProblem) as problem:
        ask_settings(lambda question, default: default, answers)
    for name in ("domain", "google_client_id", "operator", "certificate", "backup_key"):
        assert f"{name}:" in str(problem.value)


def test_only_what_is_unknown_is_asked():
    asked = []

    def ask(question: str, default: str) -> str:
        asked.append(question)
        return default

    known = {
        name: value for name, value in ANSWERS.items() if name not in ("certificate", "google_client_secret")
    }
    assert ask_settings(ask, known).certificate == "files"
    assert len(asked) == 1


def test_answers_come_from_a_file(tmp_path: Path):
    (tmp_path / "answers").write_text("# town\ndomain = atelier.example.bg\nbackup_key=\n\n")
    assert read_answers(tmp_path / "answers") == {"domain": "atelier.example.bg", "backup_key": ""}


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (None, "No such file"),
        (b"domian=atelier.example.bg\n", "nobody asks for 'domian'"),
        (b"domain atelier.example.bg\n", "nobody asks for"),
        (b"domain=\xff\n", "cannot be read"),
    ],
)
def test_answers_that_cannot_be_used_are_named(tmp_path: Path, content: bytes | None, fact: str):
    path = tmp_path / "answers"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeployProblem, match=fact) as problem:
        read_answers(path)
    assert str(path) in problem.value.fact
    assert "name=value" in problem.value.repair


def test_who_gives_a_file_is_not_asked_besides(tmp_path: Path):
    known = {name: value for name, value in ANSWERS.items() if name not in ("certificate", "backup_key")}
    assert prepare_town(tmp_path / "town", known, as_root=False).certificate == "files"
    with pytest.raises(DeployProblem, match="domain: ''"):
        prepare_town(tmp_path / "other", {"operator": "tech@school.example"}, as_root=False)


def test_a_backup_that_cannot_be_read_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deploy.first_time.os.geteuid", lambda: 0)
    now = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    with pytest.raises(DeployProblem, match="there is no backup"):
        deploy(tmp_path / "town", None, now, backup=tmp_path / "absent.tar.gz.age")
    (tmp_path / "some.age").write_bytes(b"age-encryption.org/v1\n")
    with pytest.raises(DeployProblem, match="IDENTITY="):
        deploy(tmp_path / "town", None, now, backup=tmp_path / "some.age")
    assert not (tmp_path / "town").exists()


def test_no_secret_is_among_compose_variables(tmp_path: Path):
    settings = prepare(tmp_path)
    text = describe_compose(settings, tmp_path, "0.1.0-abc", 998)
    for path in (tmp_path / "secrets").rglob("*"):
        assert path.is_dir() or path.read_text().strip() not in text
