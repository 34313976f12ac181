"""What the hub's one thread is spared: everybody waits while it works.

Why, and what it brings: docs/decisions/the-hubs-one-thread.md.
"""

import functools
import gc
from typing import Any

from jupyterhub.oauth import provider
from jupyterhub.utils import hash_token
from sqlalchemy.orm import strategies

LOADER, LOADS = "_SelectInLoader", "_load_for_path"


def hash_secrets_once() -> None:
    """Hash a client's secret with one round, as JupyterHub stores the same secret as an API token.

    Thousands of rounds slow down who guesses passwords; a random number of 122 bits is not guessed. The
    pages' secret is the operator's: `HubSettings` refuses short ones.
    """
    provider.hash_token = functools.partial(hash_token, rounds=1)


def load_nothing_twice() -> None:
    """Have SQLAlchemy not ask for relations of an object that holds them already.

    It asks, and throws the answer away: what is loaded stays as it is (`_load_via_parent`). Relations that
    are absent, of new objects and after a rollback, are asked for as ever, for all of a query at once.
    """
    loader = getattr(strategies, LOADER, None)
    loads = getattr(loader, LOADS, None)
    if loads is None or hasattr(loads, "__wrapped__"):
        return

    @functools.wraps(loads)
    def load_what_is_absent(self: Any, context: Any, path: Any, states: Any, *rest: Any) -> None:
        absent = [(state, anew) for state, anew in states if anew or self.key not in state.dict]
        if absent:
            loads(self, context, path, absent, *rest)

    setattr(loader, LOADS, load_what_is_absent)


def look_at_new_objects_only() -> None:
    """Have Python look for garbage among what comes from now on, not among modules and what is loaded."""
    gc.collect()
    gc.freeze()
