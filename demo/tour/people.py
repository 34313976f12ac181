"""Signing in as one of the demo's people, and the pages that they see."""

import re

import httpx
from bs4 import BeautifulSoup

from demo.house import House
from demo.tour.browser import Browser, TourFailure, find_form, find_link


class Person(Browser):
    """A person with a browser of their own, signed in through the provider."""

    def __init__(self, house: House, email: str, language: str = "bg") -> None:
        super().__init__(language)
        self.house = house
        self.email = email

    def sign_in(self) -> httpx.Response:
        """Open the city's address, choose the account at the provider, and land on My work."""
        chooser = self.open(find_link(self.open(self.house.public_url), "/hub/oauth_login"))
        if "/interaction/" not in str(chooser.url):
            raise TourFailure(f"signing in as {self.email} led to {chooser.url} and not to the provider")
        my_work = self.send(find_form(chooser, action="/choose"), account=self._find_subject(chooser))
        if not str(my_work.url).startswith(self.house.pages_url):
            raise TourFailure(f"after signing in {self.email} is at {my_work.url} and not on My work")
        return my_work

    def find_account(self) -> str:
        """Return the person's account, which My work's link to the own workspace names."""
        my_work = self.open(self.house.pages_url)
        found = re.search(r"/hub/spawn/([a-z][a-z0-9]{11})[?\"]", my_work.text)
        if not found:
            raise TourFailure(f"My work of {self.email} has no link to the own workspace")
        return found[1]

    def _find_subject(self, chooser: httpx.Response) -> str:
        """The value of the button that shows this address: what a click on it sends."""
        for button in BeautifulSoup(chooser.text, "html.parser").find_all(
            "button", attrs={"name": "account"}
        ):
            if re.search(rf"(^|\s){re.escape(self.email)}(\s|$)", button.get_text(" ")):
                return str(button["value"])
        raise TourFailure(f"the provider does not offer {self.email}")
