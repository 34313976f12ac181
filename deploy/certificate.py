"""A renewed certificate: checked before it takes the place of the one in use."""

import datetime as dt
from pathlib import Path

from deploy.checks import check_certificate
from deploy.look import note_certificate
from deploy.problem import DeployProblem
from deploy.settings import write_private


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
