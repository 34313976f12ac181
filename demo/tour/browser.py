"""A browser without a window: cookies, redirects, forms, and `*.localhost` names, over real HTTP."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx
from bs4 import BeautifulSoup, Tag


class TourFailure(Exception):
    """A claim of the tour that does not hold, with what was seen instead."""


class LoopbackNames(httpx.HTTPTransport):
    """Browsers resolve ``*.localhost`` themselves; Debian's resolver does not."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.host.endswith(".localhost"):
            return super().handle_request(request)
        # A copy: httpx reads cookies by the address of the request that it was given. The Host header stays.
        inner = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return super().handle_request(inner)


@dataclass(frozen=True)
class Form:
    """A form of a page as a browser would send it."""

    url: str
    method: str
    fields: dict[str, str]
    text: str


class Browser:
    """One person's browser with one cookie jar."""

    def __init__(self, language: str = "bg") -> None:
        self.http = httpx.Client(
            transport=LoopbackNames(retries=1),
            follow_redirects=True,
            trust_env=False,
            timeout=httpx.Timeout(180, connect=10),
            headers={"Accept-Language": language, "User-Agent": "Atelier tour"},
        )
        self.http.max_redirects = 30

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def open(self, url: str) -> httpx.Response:
        """Open a page as a person would. Raises TourFailure unless it answers 2xx."""
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
        return check_answer(self.http.get(url, headers=headers))

    def send(self, form: Form, **fields: Any) -> httpx.Response:
        """Send a form with some fields filled in. Raises TourFailure unless the answer is 2xx."""
        origin = httpx.URL(form.url).copy_with(raw_path=b"/")
        headers = {
            "Origin": str(origin).rstrip("/"),
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin",
            "Accept": "text/html",
        }
        data = {**form.fields, **fields}
        if form.method == "get":
            return check_answer(self.http.get(form.url, params=data, headers=headers))
        return check_answer(self.http.post(form.url, data=data, headers=headers))


def check_answer(answer: httpx.Response) -> httpx.Response:
    """Return a 2xx answer; raises TourFailure with the beginning of any other."""
    if not answer.is_success:
        text = " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())
        raise TourFailure(
            f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {text[:400]}"
        )
    return answer


def list_forms(page: httpx.Response) -> list[Form]:
    """Return the forms of a page, with hidden fields, defaults and the text that a person sees."""
    soup = BeautifulSoup(page.text, "html.parser")
    return [_read_form(form, str(page.url)) for form in soup.find_all("form")]


def find_form(page: httpx.Response, *, action: str = "", text: str = "") -> Form:
    """Return the first form whose address contains `action` and whose words contain `text`."""
    for form in list_forms(page):
        if action in form.url and text in form.text:
            return form
    seen = [(form.url, form.text[:60]) for form in list_forms(page)]
    raise TourFailure(f"{page.url} has no form to {action!r} with {text!r}; it has {seen}")


def find_link(page: httpx.Response, address: str) -> str:
    """Return the first link of a page whose address contains `address`."""
    soup = BeautifulSoup(page.text, "html.parser")
    links = [urljoin(str(page.url), str(link["href"])) for link in soup.find_all("a", href=True)]
    for link in links:
        if address in link:
            return link
    raise TourFailure(f"{page.url} has no link to {address!r}; it has {links}")


def _read_form(form: Tag, page_url: str) -> Form:
    fields: dict[str, str] = {}
    for field in form.find_all(["input", "select", "textarea"]):
        name = str(field.get("name") or "")
        if name and _is_sent(field):
            fields[name] = _read_value(field)
    words = " ".join(form.get_text(" ").split())
    values = [str(v) for field in form.find_all("input") if (v := field.get("value"))]
    return Form(
        urljoin(page_url, str(form.get("action") or "")),
        str(form.get("method") or "get").lower(),
        fields,
        " ".join([words, *values]),
    )


def _is_sent(field: Tag) -> bool:
    kind = field.get("type")
    if kind in ("submit", "button", "image", "file"):
        return False
    return kind not in ("checkbox", "radio") or field.has_attr("checked")


def _read_value(field: Tag) -> str:
    if field.name == "select":
        chosen = field.find("option", selected=True) or field.find("option")
        return str(chosen.get("value", chosen.get_text())) if isinstance(chosen, Tag) else ""
    if field.name == "textarea":
        return field.get_text()
    return str(field.get("value") or "")


def list_choices(page: httpx.Response, name: str) -> dict[str, str]:
    """Return label → value of the check boxes, radio buttons or options called `name`."""
    soup = BeautifulSoup(page.text, "html.parser")
    chosen: dict[str, str] = {}
    for box in soup.find_all("input", attrs={"name": name}):
        label = soup.find("label", attrs={"for": str(box.get("id"))}) or box.find_parent("label")
        chosen[_read_words(label)] = str(box.get("value"))
    for option in soup.select(f'select[name="{name}"] option'):
        chosen[_read_words(option)] = str(option.get("value"))
    return chosen


def _read_words(tag: Any) -> str:
    return " ".join(tag.get_text(" ").split()) if isinstance(tag, Tag) else ""
