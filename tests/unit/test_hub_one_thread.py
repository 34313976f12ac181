"""What the hub's one thread is spared: rounds of hashing, relations that are loaded already, old objects."""

import gc
import hashlib
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm, roles
from jupyterhub.oauth import provider
from jupyterhub.utils import compare_token, hash_token, new_token
from sqlalchemy import event
from sqlalchemy.orm import Session, strategies

from hub_config import one_thread


@pytest.fixture
def session() -> Iterator[Session]:
    with orm.new_session_factory("sqlite:///:memory:")() as session:
        yield session


@pytest.fixture
def hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "hash_token", hash_token)  # is put back
    one_thread.hash_secrets_once()
    one_thread.hash_secrets_once()  # reading the configuration again changes nothing


@pytest.fixture
def spared(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = getattr(strategies, one_thread.LOADER)
    monkeypatch.setattr(loader, one_thread.LOADS, getattr(loader, one_thread.LOADS))  # is put back
    one_thread.load_nothing_twice()
    spared = getattr(loader, one_thread.LOADS)
    one_thread.load_nothing_twice()  # reading the configuration again changes nothing
    assert getattr(loader, one_thread.LOADS) is spared


# ---------------------------------------------------------------- a client's secret
def add_client(session: Session, secret: str) -> Any:
    server = provider.JupyterHubOAuthServer(session, provider.JupyterHubRequestValidator(session))
    return server.add_client("jupyterhub-user-maria0000000", secret, "/user/maria0000000/oauth_callback")


def count_rounds(stored: str) -> int:
    return int(stored.split(":")[1])


@pytest.mark.usefixtures("hashed_once")
def test_a_clients_secret_is_hashed_as_often_as_the_same_secret_as_a_token(session: Session) -> None:
    session.add(orm.OAuthClient(identifier="jupyterhub"))
    user = orm.User(name="maria0000000")
    session.add(user)
    session.commit()
    secret = orm.APIToken.new(user=user, scopes=[])
    client, (token,) = add_client(session, secret), user.api_tokens
    assert count_rounds(client.secret) == count_rounds(token.hashed) == 1


@pytest.mark.usefixtures("hashed_once")
def test_only_the_right_secret_of_a_client_is_accepted_and_none_is_stored(session: Session) -> None:
    secret = new_token()
    client = add_client(session, secret)
    assert compare_token(client.secret, secret)
    assert not compare_token(client.secret, new_token())
    assert secret not in client.secret
    assert hashlib.sha512(secret.encode()).hexdigest() not in client.secret, "no salt"


def test_a_secret_that_was_stored_before_is_accepted_still(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "hash_token", hash_token)  # is put back
    secret = new_token()
    client = add_client(session, secret)
    assert count_rounds(client.secret) > 1, "JupyterHub hashes clients' secrets once itself: ours can go"
    one_thread.hash_secrets_once()
    assert compare_token(client.secret, secret)


# ---------------------------------------------------------------- relations
@pytest.fixture
def statements(session: Session) -> list[str]:
    found: list[str] = []

    @event.listens_for(session.get_bind(), "before_cursor_execute")
    def _note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM" in statement:
            found.append(statement)

    return found


def find_by_cookie(session: Session, user: orm.User) -> orm.User:
    """Ask as the hub does for each request of a browser."""
    return session.query(orm.User).filter(orm.User.cookie_id == user.cookie_id).first()


def add_user(session: Session) -> orm.User:
    roles.create_role(session, {"name": "user", "scopes": ["self"]})
    user = orm.User(name="maria0000000")
    session.add(user)
    session.commit()
    user.roles.append(orm.Role.find(session, "user"))
    session.commit()
    return find_by_cookie(session, user)


@pytest.mark.usefixtures("spared")
def test_who_is_known_is_asked_for_with_one_statement(session: Session, statements: list[str]) -> None:
    user = add_user(session)
    assert [user.roles, user.groups, user.shared_with_me] == [[orm.Role.find(session, "user")], [], []]
    statements.clear()
    assert find_by_cookie(session, user) is user
    assert len(statements) == 1, statements


def test_the_stock_asks_for_what_it_knows_and_throws_the_answer_away(
    session: Session, statements: list[str]
) -> None:
    """Why nothing gets staler: also the stock goes on with the roles that are in memory."""
    user = add_user(session)
    session.execute(orm.User.roles.property.secondary.delete())  # past the objects
    statements.clear()
    find_by_cookie(session, user)
    assert len(statements) > 1, "SQLAlchemy spares this itself: ours can go"
    assert [role.name for role in user.roles] == ["user"]


@pytest.mark.usefixtures("spared")
def test_who_is_new_to_the_session_comes_with_all_relations(session: Session, statements: list[str]) -> None:
    user = add_user(session)
    session.expunge_all()
    found = find_by_cookie(session, user)
    statements.clear()
    assert [role.name for role in found.roles] == ["user"]
    assert [found.groups, found.shared_with_me, statements] == [[], [], []]


@pytest.mark.usefixtures("spared")
def test_after_a_rollback_a_list_of_accounts_is_not_loaded_one_by_one(
    session: Session, statements: list[str]
) -> None:
    add_user(session)
    session.add_all(orm.User(name=f"maria{n:07}") for n in range(1, 50))
    session.commit()
    known = session.query(orm.User).all()
    session.rollback()
    statements.clear()
    assert session.query(orm.User).all() == known
    assert sum(len(user.roles) + len(user.groups) + len(user.shared_with_me) for user in known) == 1
    assert len(statements) == 4, statements


@pytest.mark.usefixtures("spared")
def test_a_right_that_was_given_or_taken_meanwhile_is_seen(session: Session) -> None:
    user, owner = add_user(session), orm.User(name="team-aaaaaaaa")
    spawner = orm.Spawner(name="", user=owner)
    session.add_all([owner, spawner])
    session.commit()
    for take in (session.delete, lambda _: session.query(orm.Share).delete()):
        share = orm.Share.grant(session, spawner, user)
        assert find_by_cookie(session, user).shared_with_me == [share]
        take(share)
        session.commit()
        assert find_by_cookie(session, user).shared_with_me == []


# ---------------------------------------------------------------- garbage
class Ring:
    """Something that only a look for garbage can free."""

    def __init__(self) -> None:
        self.ring = self


def test_what_is_there_is_not_looked_at_again_and_garbage_that_comes_is_found() -> None:
    one_thread.look_at_new_objects_only()
    try:
        assert gc.get_freeze_count() > 1000
        garbage = weakref.ref(Ring())
        gc.collect()
        assert garbage() is None
    finally:
        gc.unfreeze()
