"""What the hub believes about accounts, and for how long without the service."""

from collections.abc import Mapping
from typing import Any

import pytest

from hub_config.accounts import KEEP_S, Accounts, Answer, ServiceDown, SignInRefused

PERSON = "k3aaaaaaaaaa"
ACCOUNT = {
    "account": PERSON,
    "kind": "personal",
    "active": True,
    "display_name": "Мария Петрова",
    "initials": "МП",
    "color": "#112233",
    "language": "bg",
    "zone": "Europe/Sofia",
    "school": "one",
    "course": None,
    "limits": {},
}


class Service:
    """Plays the service: answers by (method, path), or not at all."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Answer] = {("GET", f"accounts/{PERSON}"): Answer(200, ACCOUNT)}
        self.up = True
        self.now = 1000.0

    async def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        if not self.up:
            raise ServiceDown(path)
        return self.answers.get((method, path), Answer(404, {}))

    def clock(self) -> float:
        return self.now


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def accounts(service: Service) -> Accounts:
    return Accounts(service, clock=service.clock)


async def test_last_answer_holds_for_fifteen_minutes_and_no_second_longer(
    service: Service, accounts: Accounts
) -> None:
    await accounts.find(PERSON)
    service.up = False
    service.now += KEEP_S
    kept = await accounts.find(PERSON)
    assert kept is not None
    assert kept.active
    service.now += 0.001
    with pytest.raises(ServiceDown):
        await accounts.find(PERSON)


async def test_kept_answer_is_not_used_while_the_service_answers(
    service: Service, accounts: Accounts
) -> None:
    await accounts.find(PERSON)
    service.answers["GET", f"accounts/{PERSON}"] = Answer(200, {**ACCOUNT, "active": False})
    account = await accounts.find(PERSON)
    assert account is not None
    assert not account.active


async def test_unknown_account_stays_unknown_while_the_service_is_down(
    service: Service, accounts: Accounts
) -> None:
    assert await accounts.find("zzzzzzzzzzzz") is None
    service.up = False
    assert await accounts.find("zzzzzzzzzzzz") is None


async def test_nobody_is_vouched_for_without_an_earlier_answer(service: Service, accounts: Accounts) -> None:
    service.up = False
    with pytest.raises(ServiceDown):
        await accounts.find(PERSON)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {}),
        Answer(401, {}),
        Answer(302, {}),
        Answer(200, {}),
        Answer(200, {**ACCOUNT, "account": "somebodyelse"}),
    ],
)
async def test_unusable_answer_counts_as_none(service: Service, accounts: Accounts, answer: Answer) -> None:
    await accounts.find(PERSON)
    service.answers["GET", f"accounts/{PERSON}"] = answer
    kept = await accounts.find(PERSON)
    assert kept is not None
    service.now += KEEP_S + 1
    with pytest.raises(ServiceDown):
        await accounts.find(PERSON)


async def test_sign_in_names_the_person_of_the_service(service: Service, accounts: Accounts) -> None:
    service.answers["POST", "sign-in"] = Answer(200, {"person": PERSON})
    assert (await accounts.sign_in({})).account == PERSON
    assert accounts.find_language_of(PERSON) == "bg"


async def test_sign_in_is_never_answered_from_memory(service: Service, accounts: Accounts) -> None:
    service.answers["POST", "sign-in"] = Answer(200, {"person": PERSON})
    await accounts.sign_in({})
    service.up = False
    with pytest.raises(SignInRefused) as refused:
        await accounts.sign_in({})
    assert refused.value.code == "service_down"


async def test_refusal_keeps_its_code_and_school(service: Service, accounts: Accounts) -> None:
    service.answers["POST", "sign-in"] = Answer(403, {"refusal": "not_on_roster", "school": "one"})
    with pytest.raises(SignInRefused) as refused:
        await accounts.sign_in({})
    assert (refused.value.code, refused.value.school) == ("not_on_roster", "one")


@pytest.mark.parametrize("change", [{"active": False}, {"kind": "team"}, {"kind": "course"}])
async def test_only_an_active_personal_account_signs_in(
    service: Service, accounts: Accounts, change: dict[str, Any]
) -> None:
    service.answers["POST", "sign-in"] = Answer(200, {"person": PERSON})
    service.answers["GET", f"accounts/{PERSON}"] = Answer(200, {**ACCOUNT, **change})
    with pytest.raises(SignInRefused):
        await accounts.sign_in({})
