"""The steward's process: a full round at start and every 45 s, a small one for each change on the roster.

It listens on nothing. When the hub is silent it goes on asking, and begins with a full round once the hub is
back: the hub may have come back with another database.
"""

import asyncio
import datetime as dt
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from atelier.failures import name_failure
from atelier.logs import set_up_logs
from atelier.settings import StewardSettings, secrets_dir
from atelier.steward.hub import HubClient, HubRefused, HubUnreachable
from atelier.steward.lessons import LessonKeeper
from atelier.steward.noting import Note
from atelier.steward.repair import Steward
from atelier.store import make_session_factory, open_database, utc_now
from atelier.store.models import RosterChange
from hub_config.city import CityError, load_city

log = logging.getLogger("atelier.steward")

RETRY_S = 10.0
HEARTBEAT_S = 2.0  # a hub takes longer than that to start, so no restart goes unnoticed


@dataclass
class Loop:
    """When the steward does what."""

    steward: Steward
    poll_s: float
    sweep_s: float
    monotonic: Callable[[], float]
    seen_change: int = 0
    sweep_due_s: float = 0.0
    follow_due_s: float = 0.0
    heartbeat_due_s: float = 0.0
    hub_is_up: bool = True
    trouble: str | None = None
    lessons: LessonKeeper | None = None
    note: Note = field(default_factory=lambda: Note(None, time.time))

    async def run(self, stopping: asyncio.Event) -> None:
        """Tick until `stopping` is set; a tick under way is then cut off (all of it may be repeated)."""
        self._try_to_note(self.note.begin)
        end = asyncio.create_task(stopping.wait())
        while not end.done():
            tick = asyncio.create_task(self.tick())
            await asyncio.wait({tick, end}, return_when=asyncio.FIRST_COMPLETED)
            tick.cancel()  # does nothing to one that is done
            await asyncio.wait({tick})
            await asyncio.wait({end}, timeout=self.poll_s)

    async def tick(self) -> None:
        """Do what is due. Never raises for a silent hub or a locked database: the next tick tries again."""
        try:
            await self._do_what_is_due()
            if self.trouble is None:  # a trouble ends with a round that is well, see `_round`
                self._try_to_note(self.note.note_look)
        except HubUnreachable as error:
            self._note_trouble(f"hub-silent: {error}")
            self.hub_is_up = False
        except HubRefused as error:
            self._note_trouble(f"hub-refuses: {error}")
        except SQLAlchemyError as error:
            self._note_trouble(f"database-error: {name_failure(error)}")
        except Exception:  # noqa: BLE001 - rights must end although one round has met what nobody foresaw
            self._note_trouble("unexpected-error: see the traceback", traceback=True)

    async def _do_what_is_due(self) -> None:
        now_s = self.monotonic()
        if now_s >= self.heartbeat_due_s or not self.hub_is_up:
            await self.steward.hub.check_up()
            self.heartbeat_due_s = now_s + HEARTBEAT_S
            self._note_hub_is_up()
        change = self._last_change()
        if now_s >= self.sweep_due_s:
            # Before it begins, so that nothing but a full round that failed decides about the next one.
            self.sweep_due_s = now_s + RETRY_S
            await self._round(self.steward.sweep, change)
            self._try_to_note(self.note.note_round)
            took_s = self.monotonic() - now_s
            # In a large city a full round is work for the hub: it gets at most a tenth of the hub's time.
            self.sweep_due_s = now_s + max(self.sweep_s, 10 * took_s)
            self.follow_due_s = now_s + self.sweep_s
        elif change != self.seen_change or now_s >= self.follow_due_s:  # rights may end at a set instant
            await self._round(self.steward.follow, change)
            self.follow_due_s = now_s + self.sweep_s
        await self.steward.finish_stops()
        await self.steward.create_some()
        if self.lessons is not None:
            await self.lessons.look(self.steward.last_wanted.accounts, self.monotonic)

    async def _round(self, work: Callable[[], Awaitable[object]], change: int) -> None:
        await work()
        self._end_trouble()
        self.seen_change = change  # read before the round: what came during it gets a round of its own

    def _try_to_note(self, note: Callable[[], None]) -> None:
        try:
            note()
        except OSError as error:  # monitoring must not end what it watches
            log.warning("not-noted: %s", error)

    def _last_change(self) -> int:
        with self.steward.sessions() as session:
            return session.scalar(select(func.max(RosterChange.id))) or 0

    def _note_hub_is_up(self) -> None:
        if not self.hub_is_up:
            log.info("hub-back: the hub answers again")
            self.steward.forget()
            self.sweep_due_s = 0.0
        self.hub_is_up = True

    def _note_trouble(self, trouble: str, traceback: bool = False) -> None:
        """Log a trouble when it begins or changes, not once a second."""
        kind = trouble.partition(":")[0]
        if kind != self.trouble:
            log.error(trouble, exc_info=traceback)
        self.trouble = kind

    def _end_trouble(self) -> None:
        if self.trouble:
            log.info("recovered: %s is over", self.trouble)
        self.trouble = None


def run_steward(settings: StewardSettings | None = None) -> None:
    """Run until SIGINT or SIGTERM. Without `settings`, reads them from the environment."""
    try:
        settings = settings or StewardSettings(_secrets_dir=secrets_dir())
        city = load_city(settings.city_file)
    except CityError as error:
        sys.exit(str(error))
    except ValidationError as error:
        missing = ", ".join(f"ATELIER_{problem['loc'][0]}".upper() for problem in error.errors())
        sys.exit(f"the steward's settings are missing or wrong: {missing}; see docs/reference-settings.md")
    set_up_logs(settings.log_format)
    hub = HubClient(settings.hub_api_url, settings.steward_hub_token.get_secret_value())
    sessions = make_session_factory(open_database(settings.database_url))
    asyncio.run(_serve(Steward(hub, sessions, city, utc_now), settings))


async def _serve(steward: Steward, settings: StewardSettings) -> None:
    stopping = asyncio.Event()
    running = asyncio.get_running_loop()
    for end in (signal.SIGINT, signal.SIGTERM):
        running.add_signal_handler(end, stopping.set)
    log.info("started: full round every %g s", settings.steward_sweep_s)
    quiet = dt.timedelta(seconds=settings.steward_lesson_quiet_s)
    lessons = LessonKeeper(
        steward.hub, steward.sessions, steward.city, steward.clock, settings.steward_lesson_starts, quiet
    )
    loop = Loop(steward, settings.steward_poll_s, settings.steward_sweep_s, running.time, lessons=lessons)
    loop.note = Note(settings.metrics_dir, time.time)
    try:
        await loop.run(stopping)
    finally:
        await steward.hub.close()
