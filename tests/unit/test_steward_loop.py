"""When the steward's loop begins a full round: errors of other work keep none off."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from atelier.steward.hub import HubRefused, HubUnreachable
from atelier.steward.noting import LOOK_NOTED_EVERY_S, NAME, Note
from atelier.steward.run import RETRY_S, Loop
from atelier.steward.wanted import Wanted
from sqlalchemy.exc import ProgrammingError

SWEEP_S = 45.0
EACH_S = 1.0
ERRORS = [HubRefused("GET users: 500 "), KeyError("No time zone found with key Nowhere/At_All")]


class StandIn:
    """A steward, its hub, database and lessons: each does nothing, or raises what the test says."""

    last_wanted = Wanted()

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.round_takes_s = 0.0
        self.raises: dict[str, Exception] = {}
        self.swept_at_s: list[float] = []
        self.hub = self.lessons = self
        self.changes = 0  # on the roster; one comes before each tick

    def tell(self) -> float:
        return self.now_s

    def sessions(self) -> Any:
        return self

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def scalar(self, _: object) -> int:
        self.changes += 1
        return self.changes

    def forget(self) -> None:
        pass

    async def sweep(self) -> None:
        self.swept_at_s.append(self.now_s)
        self.now_s += self.round_takes_s
        self._meet("sweep")

    async def look(self, active: frozenset[str], monotonic: Callable[[], float]) -> None:
        self._meet("look")

    async def follow(self) -> None:
        self._meet("follow")

    async def check_up(self) -> None:
        self._meet("check_up")

    async def finish_stops(self) -> None:
        pass

    async def create_some(self) -> None:
        pass

    def _meet(self, what: str) -> None:
        if what in self.raises:
            raise self.raises[what].with_traceback(None)


@pytest.fixture
def part() -> StandIn:
    return StandIn()


@pytest.fixture
def loop(part: StandIn) -> Loop:
    return Loop(part, EACH_S, SWEEP_S, part.tell, lessons=part)  # type: ignore[arg-type]


async def run(loop: Loop, part: StandIn, for_s: float) -> None:
    """Let the loop tick once a second for so long."""
    end_s = part.now_s + for_s
    while part.now_s < end_s:
        await loop.tick()
        part.now_s += EACH_S


@pytest.mark.parametrize("error", ERRORS, ids=["refused", "unforeseen"])
@pytest.mark.parametrize("where", ["look", "follow"])
async def test_a_lasting_error_of_other_work_keeps_no_full_round_off(
    loop: Loop, part: StandIn, where: str, error: Exception
) -> None:
    part.raises[where] = error
    await run(loop, part, 10 * SWEEP_S)
    assert part.swept_at_s == [1000.0 + SWEEP_S * n for n in range(10)]


@pytest.mark.parametrize("error", ERRORS, ids=["refused", "unforeseen"])
async def test_a_full_round_that_fails_is_begun_again_after_ten_seconds(
    loop: Loop, part: StandIn, error: Exception
) -> None:
    part.raises["sweep"] = error
    await run(loop, part, 30.0)
    assert part.swept_at_s == [1000.0 + RETRY_S * n for n in range(3)]
    part.raises.clear()
    await run(loop, part, 2 * SWEEP_S)
    assert [at_s - 1030.0 for at_s in part.swept_at_s[3:]] == [0.0, SWEEP_S]


async def test_a_hub_that_is_back_gets_its_full_round_at_once(loop: Loop, part: StandIn) -> None:
    part.raises["sweep"] = HubUnreachable("GET users: ConnectError")
    await run(loop, part, 3.0)
    assert len(part.swept_at_s) == 3, "at each answer of a hub that seemed down"


# ---------------------------------------- the note, by whose age the container's health is told
@pytest.fixture
def note(loop: Loop, part: StandIn, tmp_path: Path) -> Path:
    loop.note = Note(tmp_path, part.tell)
    return tmp_path / NAME


async def test_the_note_is_young_although_the_next_full_round_is_an_hour_away(
    loop: Loop, part: StandIn, note: Path
) -> None:
    part.round_takes_s = 360.0  # then the next one comes after ten times as long
    await run(loop, part, 3600.0)
    assert len(part.swept_at_s) == 1
    assert part.now_s - note.stat().st_mtime <= LOOK_NOTED_EVERY_S + EACH_S
    assert note.read_text().endswith("seconds 1360\n"), "what monitoring reads is when the round was"


@pytest.mark.parametrize("error", [*ERRORS, ProgrammingError("", {}, Exception()), HubUnreachable("GET")])
async def test_the_note_of_a_steward_whose_rounds_fail_grows_old(
    loop: Loop, part: StandIn, note: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await run(loop, part, SWEEP_S)
    part.raises |= {"sweep": error, "follow": error}
    last_fine_s = part.now_s
    await run(loop, part, 400.0)
    assert note.stat().st_mtime < last_fine_s
    assert "recovered" not in caplog.text
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_what_keeps_no_full_round_off_makes_no_note_old(loop: Loop, part: StandIn, note: Path) -> None:
    part.raises["look"] = KeyError("No time zone found with key Nowhere/At_All")
    await run(loop, part, 10 * SWEEP_S)
    assert part.now_s - note.stat().st_mtime <= SWEEP_S


async def test_an_earlier_stewards_note_is_no_sign_of_life_of_this_one(
    loop: Loop, part: StandIn, note: Path
) -> None:
    await run(loop, part, SWEEP_S)
    text = note.read_text()
    assert note.stat().st_mtime > 0
    stopping = asyncio.Event()
    stopping.set()
    part.raises["check_up"] = HubUnreachable("ConnectError")
    await Loop(part, 0.0, SWEEP_S, part.tell, note=loop.note).run(stopping)  # type: ignore[arg-type]
    assert note.stat().st_mtime == 0
    assert note.read_text() == text, "monitoring goes on counting from the last round that there was"
