"""Loading Lab in Chromium as on a small Chromebook behind a school's line, and what that took."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page, Playwright
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from bench.page_houses import Side
from bench.page_relay import Relay

CHROMIUM = "/usr/bin/chromium"
CPU_SLOWDOWN = 4
LINE_BYTES_PER_S = 10_000_000 / 8
LATENCY_MS = 40
SETTLED_AFTER_S = 3
WITHIN_MS = 60_000
JOURNEY_ATTEMPTS = 4
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_VISIBLE = """() => [...document.querySelectorAll('.jp-Notebook .jp-Cell .cm-content')]
  .some(cell => cell.textContent.includes('6 * 7') && cell.getBoundingClientRect().height > 0)"""
_OUTPUT = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
  .some(output => output.textContent.includes('42'))"""


@dataclass(frozen=True)
class Load:
    """One load. Bytes are those on the wire, both ways, encryption, headers and websockets included."""

    kind: str
    down_bytes: int
    up_bytes: int
    requests: int
    visible_s: float
    output_s: float


@dataclass(frozen=True)
class Journey:
    """A laptop in one lesson and the next: signing in, Lab cold, Lab again, the next student."""

    side: str
    sign_in_bytes: int
    loads: tuple[Load, ...]


def measure_journey(playwright: Playwright, side: Side) -> Journey:
    """Measure a journey; again from its start when something broke it off, and say so.

    Chromium ends its connections when an interface of this machine comes or goes, e.g. as a container starts.
    """
    for _ in range(JOURNEY_ATTEMPTS):
        try:
            return _measure_journey(playwright, side)
        except PlaywrightError as error:
            reason = str(error).splitlines()[0]
            sys.stderr.write(f"{side.name}: broken off and begun again: {reason}\n")
    raise RuntimeError(f"{side.name}: {JOURNEY_ATTEMPTS} attempts were broken off")


def _measure_journey(playwright: Playwright, side: Side) -> Journey:
    """Use a new browser profile on disk, as a laptop has one, for two students one after the other."""
    with Relay(side.port) as relay, _open_profile(playwright, side, relay) as context:
        first = context.new_page()
        side.sign_in(first, 0)
        sign_in_bytes = relay.read().down
        loads = [_load(context, side, relay, first, 0, kind) for kind in ("cold", "warm")]
        context.clear_cookies()
        side.sign_in(first, 1)
        loads.append(_load(context, side, relay, first, 1, "next student"))
        return Journey(side.name, sign_in_bytes, tuple(loads))


@contextmanager
def _open_profile(playwright: Playwright, side: Side, relay: Relay) -> Iterator[BrowserContext]:
    # The port of the address stays; only where the connection goes is changed, so that it can be counted.
    names = f"MAP {side.host} 127.0.0.1:{relay.port}, MAP *.{side.host} 127.0.0.1:{relay.port}"
    arguments = [*ARGUMENTS, *side.chromium_arguments, f"--host-resolver-rules={names}"]
    with tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=arguments,
            viewport={"width": 1366, "height": 768},
            locale="bg",
        )
        try:
            yield context
        finally:
            context.close()


def _load(
    context: BrowserContext, side: Side, relay: Relay, signed_in: Page, student: int, kind: str
) -> Load:
    address = side.notebook_url(signed_in, student)
    page = context.new_page()
    session = context.new_cdp_session(page)
    counter = _count_requests(session)
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": LINE_BYTES_PER_S,
            "uploadThroughput": LINE_BYTES_PER_S,
        },
    )
    session.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWDOWN})
    relay.read()
    began = time.monotonic()
    page.goto(address, wait_until="commit", timeout=WITHIN_MS)
    page.wait_for_function(_VISIBLE, timeout=WITHIN_MS)
    visible_s = time.monotonic() - began
    _run_cell(page)
    output_s = time.monotonic() - began
    page.wait_for_timeout(SETTLED_AFTER_S * 1000)
    traffic = relay.read()
    page.close()
    return Load(kind, traffic.down, traffic.up, counter.sent, visible_s, output_s)


def _run_cell(page: Page) -> None:
    """Press Shift+Enter in the cell once a second until it has an output, as a person does.

    Before the kernel is connected, Lab drops the key without a word.
    """
    deadline = time.monotonic() + WITHIN_MS / 1000
    while time.monotonic() < deadline:
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.click(force=True)
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(PlaywrightTimeoutError):
            page.wait_for_function(_OUTPUT, timeout=1000)
            return
    raise TimeoutError(f"the cell had no output after {WITHIN_MS // 1000} s")


@dataclass
class _Counter:
    sent: int = 0


def _count_requests(session: CDPSession) -> _Counter:
    """Count the answers that came over the line; what the browser had kept is no request."""
    counter = _Counter()
    kept: set[str] = set()

    def note(event: dict[str, Any]) -> None:
        if event["requestId"] not in kept and not event["response"].get("fromDiskCache"):
            counter.sent += 1

    session.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))
    session.on("Network.responseReceived", note)
    session.send("Network.enable")
    return counter
