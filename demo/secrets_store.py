"""The demo's random secrets: made once, kept in one folder that only its owner can read."""

import secrets
from pathlib import Path

NAMES = (
    "google_client_secret",
    "hub_service_token",
    "provider_cookie_key",
    "proxy_token",
    "steward_hub_token",
    "web_hub_token",
)


def load_secrets(folder: Path) -> dict[str, str]:
    """Return name → secret (64 hexadecimal digits) for every one of `NAMES`, making those that are absent.

    Kept between starts, so that the second start finds the accounts and sessions of the first.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return {name: _load_secret(folder / name) for name in NAMES}


def _load_secret(path: Path) -> str:
    if not path.exists():
        # Born with its final rights and renamed into place: nobody can read it early, no half secret stays.
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        draft.replace(path)
    return path.read_text().strip()
