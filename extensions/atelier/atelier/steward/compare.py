"""The difference between what is wanted and what the hub has, as a plan. Pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from atelier.steward.wanted import Wanted
from atelier.store import parse_account


@dataclass(frozen=True, order=True)
class Share:
    """Access to `owner`'s default server. We grant to users only; a `group` is somebody else's grant."""

    owner: str
    to: str
    group: bool = False


@dataclass(frozen=True)
class HubState:
    """What the hub has: accounts (name → whether its server is up) and shares (→ their scopes).

    `unread` are owners whose shares are not known: nothing is granted or revoked there.
    """

    accounts: Mapping[str, bool] = field(default_factory=dict)
    shares: Mapping[Share, frozenset[str]] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What must be done. Each tuple is sorted; an empty plan is false."""

    create: tuple[str, ...] = ()
    grant: tuple[Share, ...] = ()
    revoke: tuple[Share, ...] = ()
    close: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.grant or self.revoke or self.close)


def scopes_of(owner: str) -> frozenset[str]:
    """The scopes of one share as the hub keeps them: to open the server, and to start and stop it."""
    return frozenset({f"access:servers!server={owner}/", f"servers!server={owner}/"})


def is_ours(account: str) -> bool:
    """Whether an account has the shape of ours. All others are left alone."""
    try:
        parse_account(account)
    except ValueError:
        return False
    return True


def compare(wanted: Wanted, state: HubState, closed: Collection[str] = ()) -> Plan:
    """Return what to do so that the hub has what is wanted.

    `closed` are accounts that were closed already: they are closed again only when their server is up. An
    account without the shape of ours is never touched, nor is a share that it owns.
    """
    known = wanted.shares.keys() - state.unread
    granted = {Share(owner, person) for owner in known for person in wanted.shares[owner]}
    ours = {name for name in state.accounts if is_ours(name)}
    whole = {share for share, scopes in state.shares.items() if scopes == scopes_of(share.owner)}
    held = {share for share in state.shares if is_ours(share.owner)}
    too_much = {share for share in held if not state.shares[share] <= scopes_of(share.owner)}
    ended = ours - wanted.accounts
    return Plan(
        create=tuple(sorted(wanted.accounts - ours)),
        grant=tuple(sorted(granted - (whole & held))),
        revoke=tuple(sorted((held - granted) | too_much)),
        close=tuple(sorted(name for name in ended if state.accounts[name] or name not in closed)),
        foreign=tuple(sorted(state.accounts.keys() - ours)),
    )
