"""The front's certificate: how certbot brings one, and what may take the place of the one in use."""

import datetime as dt
import os
import shlex
import subprocess
from pathlib import Path

from deploy.certificate import describe_certbot, describe_hook
from deploy.first_time import prepare_town
from deploy.look import look_at_certificate
from deploy.settings import load_town_settings
from front.certificate import make_certificate

DOMAIN = "atelier.example.bg"
ANSWERS = {
    "domain": DOMAIN,
    "google_client_id": "1.apps.googleusercontent.com",
    "operator": "tech@school.example",
    "google_client_secret": "secret",
}


def test_without_a_certificate_the_command_for_certbot_is_the_repair(tmp_path: Path):
    now = dt.datetime.now(dt.UTC)
    prepare_town(tmp_path, {**ANSWERS, "certificate": "acme-dns"}, as_root=False)
    settings = load_town_settings(tmp_path)
    assert settings
    (finding,) = look_at_certificate(tmp_path, settings, now)
    assert finding.repair == describe_certbot(tmp_path, DOMAIN)
    settings.certificate = "files"
    (finding,) = look_at_certificate(tmp_path, settings, now)
    assert "certbot" not in finding.repair


def test_certbot_is_asked_for_both_names_and_given_the_hook_in_one_piece(tmp_path: Path):
    words = shlex.split(describe_certbot(tmp_path, DOMAIN).replace("<your DNS provider>", "rfc2136"))
    asked = [words[place + 1] for place, word in enumerate(words) if word == "-d"]
    assert asked == [DOMAIN, f"*.{DOMAIN}"]
    assert words[words.index("--deploy-hook") + 1] == describe_hook(tmp_path)


def test_the_hook_brings_a_renewed_certificate_to_the_town(tmp_path: Path):
    town, renewed = tmp_path / "the town", tmp_path / "of certbot"
    prepare_town(town, ANSWERS, as_root=False)
    made = make_certificate(tmp_path / "authority", DOMAIN, dt.datetime.now(dt.UTC))
    renewed.mkdir()
    (renewed / "fullchain.pem").write_bytes(made.certificate.read_bytes())
    (renewed / "privkey.pem").write_bytes(made.key.read_bytes())
    environment = {"PATH": os.environ["PATH"], "RENEWED_LINEAGE": str(renewed), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["sh", "-c", describe_hook(town)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (town / "certificate" / "key.pem").read_bytes() == made.key.read_bytes()
    assert (town / "certificate" / "certificate.pem").read_bytes() == made.certificate.read_bytes()
