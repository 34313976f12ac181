"""The front's certificate: how certbot brings one, and a renewed one is checked before it takes its place."""

import datetime as dt
import shlex
import sys
from pathlib import Path

from cryptography import x509

from deploy.checks import check_certificate
from deploy.metrics import write_metrics
from deploy.problem import DeployProblem
from deploy.settings import write_private

REPOSITORY = Path(__file__).resolve().parent.parent
PROVIDER = "<your DNS provider>"


def describe_certbot(folder: Path, domain: str) -> str:
    """Return the command by which certbot gets a first certificate and brings each renewed one to the town.

    A wildcard needs a DNS challenge, and so the plug-in of who keeps the domain's names.
    """
    names = f"-d {domain} -d '*.{domain}'"
    return (
        f"apt-get install certbot python3-certbot-dns-{PROVIDER}; certbot certonly "
        f"--authenticator dns-{PROVIDER} {names} --deploy-hook {shlex.quote(describe_hook(folder))}"
    )


def describe_hook(folder: Path) -> str:
    """Return the command that certbot runs after each renewal, in a folder of its own."""
    command = shlex.join([sys.executable, "-m", "deploy", "certificate", f"--town={folder}"])
    pair = '"$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem"'
    return f"cd {shlex.quote(str(REPOSITORY))} && {command} {pair}"


def put_in_place(folder: Path, domain: str, chain: Path, key: Path, now: dt.datetime) -> None:
    """Copy certificate and key into the town. Raises DeployProblem for a pair that is of no use there."""
    try:
        chain_pem, key_pem = chain.read_bytes(), key.read_bytes()
    except OSError as error:
        raise DeployProblem(
            f"{error.filename} cannot be read: {error.strerror}", "give both files"
        ) from error
    wrong = [f for f in check_certificate(chain_pem, key_pem, domain, now) if f.level == "error"]
    if wrong:
        raise DeployProblem(f"the certificate {wrong[0].fact}; the one in use stays", wrong[0].repair)
    # The key first: nginx reads both only when it is told to.
    write_private(folder / "certificate" / "key.pem", key_pem.decode("ascii"))
    write_private(folder / "certificate" / "certificate.pem", chain_pem.decode("ascii"))
    note_certificate(folder, chain_pem)


def note_certificate(folder: Path, chain_pem: bytes) -> None:
    """Tell monitoring when the certificate ends."""
    ends = x509.load_pem_x509_certificates(chain_pem)[0].not_valid_after_utc
    metric = "atelier_certificate_not_after_timestamp_seconds"
    write_metrics(
        folder / "metrics", "atelier_certificate", {metric: ("When the certificate ends.", ends.timestamp())}
    )
