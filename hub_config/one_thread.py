"""What the hub's one thread is spared: everybody waits while it works.

Why, and what it brings: docs/decisions/the-hubs-one-thread.md.
"""

import functools
import gc

from jupyterhub.oauth import provider
from jupyterhub.utils import hash_token
from sqlalchemy.orm import Query

EAGERS = "_invoke_all_eagers"


def hash_secrets_once() -> None:
    """Hash a client's secret with one round, as JupyterHub stores the same secret as an API token.

    Thousands of rounds slow down who guesses passwords; a random number of 128 bits is not guessed.
    """
    provider.hash_token = functools.partial(hash_token, rounds=1)


def load_nothing_twice() -> None:
    """Have a query not ask for the relations of an object that is in the session with them.

    SQLAlchemy asks, and throws the answer away: what is loaded stays as it is (`_load_via_parent`).
    """
    if hasattr(Query.load_options, EAGERS):
        Query.load_options = Query.load_options + {EAGERS: False}


def look_at_new_objects_only() -> None:
    """Have Python look for garbage among what comes from now on, not among modules and accounts."""
    gc.collect()
    gc.freeze()
