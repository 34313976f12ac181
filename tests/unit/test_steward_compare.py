"""The steward's comparison: what is wanted against what the hub has."""

from atelier.steward.compare import HubState, Plan, Share, compare, scopes_of
from atelier.steward.wanted import Wanted
from hypothesis import given
from hypothesis import strategies as st

ANN, BEN, TEAM = "annaaaaaaaa1", "bennnnnnnnn2", "team-teammmmmmmm3"


def _state(accounts: dict[str, bool], *shares: Share) -> HubState:
    return HubState(accounts, {share: scopes_of(share.owner) for share in shares})


def _wanted(*accounts: str, team: set[str] | None = None) -> Wanted:
    return Wanted(frozenset(accounts), {} if team is None else {TEAM: frozenset(team)})


def test_an_empty_hub_gets_every_account_and_share():
    plan = compare(_wanted(ANN, TEAM, team={ANN}), HubState())
    assert plan == Plan(create=(ANN, TEAM), grant=(Share(TEAM, ANN),))


def test_nothing_to_do_when_the_hub_has_what_is_wanted():
    state = _state({ANN: True, TEAM: True}, Share(TEAM, ANN))
    assert not compare(_wanted(ANN, TEAM, team={ANN}), state)


def test_a_share_that_nobody_wants_is_revoked():
    state = _state({ANN: False, BEN: False, TEAM: True}, Share(TEAM, ANN), Share(TEAM, BEN))
    assert compare(_wanted(ANN, BEN, TEAM, team={ANN}), state) == Plan(revoke=(Share(TEAM, BEN),))


def test_an_owner_whose_shares_are_not_known_is_left_alone():
    state = HubState({ANN: False, TEAM: True}, unread=frozenset({TEAM}))
    assert not compare(_wanted(ANN, TEAM, team={ANN}), state)


def test_a_group_share_is_never_wanted():
    state = _state({ANN: False, TEAM: False}, Share(TEAM, ANN), Share(TEAM, ANN, group=True))
    assert compare(_wanted(ANN, TEAM, team={ANN}), state).revoke == (Share(TEAM, ANN, group=True),)


def test_a_share_with_too_few_scopes_is_granted_again():
    share = Share(TEAM, ANN)
    state = HubState({ANN: False, TEAM: False}, {share: frozenset({f"access:servers!server={TEAM}/"})})
    assert compare(_wanted(ANN, TEAM, team={ANN}), state) == Plan(grant=(share,))


def test_a_share_with_too_many_scopes_is_revoked_and_granted_again():
    share = Share(TEAM, ANN)
    scopes = scopes_of(TEAM) | {f"admin:servers!server={TEAM}/"}
    plan = compare(_wanted(ANN, TEAM, team={ANN}), HubState({ANN: False, TEAM: False}, {share: scopes}))
    assert plan == Plan(grant=(share,), revoke=(share,))


def test_an_account_that_ended_is_closed_once_and_again_when_its_server_is_up():
    wanted = _wanted(ANN)
    assert compare(wanted, _state({ANN: True, BEN: False})).close == (BEN,)
    assert compare(wanted, _state({ANN: True, BEN: False}), closed={BEN}).close == ()
    assert compare(wanted, _state({ANN: True, BEN: True}), closed={BEN}).close == (BEN,)


def test_accounts_that_are_not_ours_are_only_named():
    foreign = Share("prof-smith", ANN)
    plan = compare(_wanted(ANN), _state({ANN: False, "admin": True, "prof-smith": True}, foreign))
    assert plan == Plan(foreign=("admin", "prof-smith"))


def test_differences_name_accounts_that_came_went_or_are_shared_otherwise():
    before = _wanted(ANN, TEAM, team={ANN})
    after = _wanted(BEN, TEAM, team={ANN, BEN})
    assert after.list_differences(before) == {ANN, BEN, TEAM}
    assert after.list_differences(after) == set()


people = st.sampled_from([f"person{n:06}" for n in range(5)])
owners = st.sampled_from([f"team-team{n:08}" for n in range(3)] + ["course-course000000"])
shares = st.dictionaries(owners, st.frozensets(people))


@given(st.frozensets(people), shares, st.dictionaries(st.one_of(people, owners), st.booleans()), shares)
def test_carrying_out_a_plan_leaves_nothing_to_do(active, wanted_shares, accounts, held):
    wanted = Wanted(
        active | wanted_shares.keys(), {o: people & active for o, people in wanted_shares.items()}
    )
    shares_held = [Share(o, p) for o, people in held.items() for p in people if o in accounts]
    state = _state(accounts, *shares_held)
    plan = compare(wanted, state)
    after = _state(
        dict.fromkeys(plan.create, False) | accounts | dict.fromkeys(plan.close, False),
        *((set(state.shares) - set(plan.revoke)) | set(plan.grant)),
    )
    assert not compare(wanted, after, closed=set(plan.close))
