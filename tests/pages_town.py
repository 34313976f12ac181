"""A small town with a real database, real blobs and the real web application, for tests of the pages.

Two schools; in the first a class of 28 in seven teams, two teachers and an administrator. Work is in every
state: open, submitted, late, missed, staged, marked.
"""

import atexit
import datetime as dt
import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from atelier.pages.visitors import start_session
from atelier.settings import SERVICE_PREFIX, WebSettings
from atelier.store.blobs import BlobStore
from atelier.store.database import SessionFactory, make_session_factory, open_database, utc_now
from atelier.store.models import WebSession
from atelier.web import create_app
from fastapi import FastAPI
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from hub_config.city import City, parse_city
from tests.databases import Databases, DatabaseServer
from tests.pages_seed import NOW, Seed

CITY = """
name: Град
schools:
  sou-1:
    name: СУ „Васил Левски“
    domains: [sou1.example]
    first_administrator: admin@sou1.example
  sou-2:
    name: Second School
    domains: [sou2.example]
    language: en
    scale: {kind: percent}
    first_administrator: admin@sou2.example
"""
TEMPLATE = """
name: small-rain
title: {bg: Къде отива дъждът?, en: Where does the rain go?}
summary: {bg: Екипите мерят валежите и предлагат къде да се събира водата., en: Teams measure rain.}
subjects: {bg: география и икономика, en: geography}
grades: [8, 9]
lessons: 12
driving_question: {bg: Как нашето училище да задържа дъждовната вода?, en: How can our school keep its rain?}
milestones:
  - {title: {bg: План, en: Plan}, description: {bg: План, en: Plan}, in_days: 7}
rubric:
  - title: {bg: Данни, en: Data}
    levels:
      - {points: 4, description: {bg: добре, en: good}}
      - {points: 1, description: {bg: слабо, en: weak}}
assignments:
  - {name: rain-start, title: {bg: Първи стъпки, en: First steps}, kind: individual, due_in_days: 7}
data: []
"""


@dataclass
class Town:
    """What the tests work with."""

    folder: Path
    settings: WebSettings
    city: City
    sessions: SessionFactory
    now: dt.datetime
    ids: dict[str, str] = field(default_factory=dict)
    students: list[str] = field(default_factory=list)
    submissions: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.settings.service_origin

    def make_app(self, hub: httpx.AsyncClient | None = None, real_clock: bool = False) -> FastAPI:
        """Return the web process's application; its clock stands at `now` unless it is real."""
        clock = utc_now if real_clock else lambda: self.now
        return create_app(self.settings, city=self.city, sessions=self.sessions, hub=hub, clock=clock)

    def sign_in(self, who: str, now: dt.datetime | None = None) -> str:
        """Give somebody of `ids` a session without the hub; return the cookie's value."""
        with self.sessions.begin() as session:
            return start_session(session, self.ids[who], now or self.now)

    def open_as(self, who: str, app: FastAPI | None = None) -> "PageClient":
        """Return a client without redirects, signed in as `who` unless that is 'nobody'."""
        client = PageClient(self, app or self.make_app(), who)
        if who != "nobody":
            client.cookies.set("atelier", self.sign_in(who))
        return client

    def csrf_token(self, who: str) -> str:
        with self.sessions() as session:
            query = select(WebSession.csrf_token).where(WebSession.person_id == self.ids[who])
            return session.scalars(query).all()[-1]

    def load(self, session: Session, kind: type[Any], who: str) -> Any:
        return session.get_one(kind, self.ids[who])


class PageClient(TestClient):
    """A browser without scripts on the service's own origin."""

    def __init__(self, town: Town, app: FastAPI, who: str) -> None:
        super().__init__(app, base_url=town.origin, follow_redirects=False)
        self.town, self.who = town, who

    def see(self, path: str) -> httpx.Response:
        """Open a page below the service's prefix."""
        return self.get(SERVICE_PREFIX + path)

    def fill_in(self, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        """Send a form as our own page does; `headers` replace the Origin or add others."""
        token = self.town.csrf_token(self.who) if self.who != "nobody" else "x"
        sent = {"Origin": self.town.origin, **headers}
        return self.post(SERVICE_PREFIX + path, data={"csrf_token": token, **fields}, headers=sent)


def build_town(folder: Path, engine: Engine) -> Town:
    """Make the town's files in an empty folder and its rows in a database without rows."""
    templates = folder / "templates" / "small-rain"
    (templates / "source" / "rain-start").mkdir(parents=True)
    (templates / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (templates / "source" / "rain-start" / "rain.ipynb").write_text("{}", encoding="utf-8")
    city = parse_city(CITY)
    settings = WebSettings(
        city_file=folder / "city.yaml",
        database_url=engine.url.render_as_string(hide_password=False),
        blob_dir=folder / "blobs",
        templates_dir=folder / "templates",
        public_url="http://atelier.localhost:8000",
        web_hub_token="web-hub-secret",
        hub_service_token="hub-service-secret",
    )
    town = Town(folder, settings, city, make_session_factory(engine), NOW)
    with town.sessions.begin() as session:
        Seed(town, session, BlobStore(folder / "blobs")).fill()
    return town


def fresh_town(folder: Path, databases: Databases) -> Town:
    """Return an own town in an empty folder. Building takes a second, so it is built once and copied."""
    built = _build_once(databases.server)
    return copy_town(built, folder / "town", databases)


@functools.cache
def _build_once(server: DatabaseServer) -> Town:
    folder = tempfile.TemporaryDirectory(prefix="atelier-town-")
    atexit.register(folder.cleanup)
    engine = open_database(server.copy(server.migrated))
    town = build_town(Path(folder.name), engine)
    engine.dispose()
    return town


def copy_town(town: Town, folder: Path, databases: Databases) -> Town:
    """Return a town of the same people and work in another folder and database."""
    shutil.copytree(town.folder, folder, dirs_exist_ok=True)
    database_url = databases.copy(town.settings.database_url)
    settings = town.settings.model_copy(
        update={
            "database_url": database_url,
            "blob_dir": folder / "blobs",
            "templates_dir": folder / "templates",
        }
    )
    sessions = make_session_factory(databases.open(database_url))
    return Town(folder, settings, town.city, sessions, town.now, town.ids, town.students, town.submissions)
