"""Why somebody does not get in, in words for that person. Texts come from here only, never from a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub_config.texts import N_


@dataclass(frozen=True)
class Refusal:
    """A reason with its page: HTTP status, title, what happened, what to do, and which button helps."""

    status: int
    title: str
    fact: str
    repair: str
    other_account: bool = True  # False: trying again with the same account is what helps


REFUSALS: Final[Mapping[str, Refusal]] = {
    "personal_account": Refusal(
        403,
        N_("This is a personal account"),
        N_("You chose a personal Google account. Only school accounts open Atelier."),
        N_("Choose the account that your school gave you."),
    ),
    "other_domain": Refusal(
        403,
        N_("This account is of another organisation"),
        N_("The account you chose does not belong to any school in this city's Atelier."),
        N_("Choose the account that your school gave you."),
    ),
    "unverified": Refusal(
        403,
        N_("The address is not confirmed"),
        N_("Google says that the e-mail address of this account has not been confirmed yet."),
        N_("Confirm the address in your Google account, or choose another account."),
    ),
    "no_email": Refusal(
        403,
        N_("The account has no e-mail address"),
        N_("Google did not tell us the e-mail address of this account, so we cannot find you on the list."),
        N_("Choose another account and allow Atelier to see its e-mail address."),
    ),
    "not_on_roster": Refusal(
        403,
        N_("You are not on the list yet"),
        N_("Your school takes part, but you are not on its list of students and teachers."),
        N_("Ask your teacher or the school's administrator to add you."),
    ),
    "deactivated": Refusal(
        403,
        N_("This account is closed"),
        N_("Your school has closed your access to Atelier. Your work has not been deleted."),
        N_("If this is a mistake, tell the school's administrator."),
    ),
    "address_taken": Refusal(
        403,
        N_("The address belonged to somebody else"),
        N_("The list has this e-mail address, but for a different Google account than the one you chose."),
        N_("The school's administrator has to confirm that the address is yours now."),
    ),
    "cancelled": Refusal(
        403,
        N_("You stopped signing in"),
        N_("Signing in was interrupted on Google's page."),
        N_("Try again when you are ready."),
        other_account=False,
    ),
    "lost_state": Refusal(
        400,
        N_("Signing in took too long or was started twice"),
        N_("This page no longer belongs to the sign-in that this browser started last."),
        N_("Close other sign-in tabs and start again. Cookies must be allowed."),
        other_account=False,
    ),
    "provider_down": Refusal(
        503,
        N_("Google does not answer"),
        N_("We could not complete the sign-in with Google."),
        N_("Wait a minute and try again."),
        other_account=False,
    ),
    "service_down": Refusal(
        503,
        N_("Atelier is not ready"),
        N_("The list of students and teachers cannot be read just now, so nobody new can sign in."),
        N_("Wait a minute and try again. Whoever is already signed in can go on working."),
        other_account=False,
    ),
    "unknown": Refusal(
        403,
        N_("You cannot sign in"),
        N_("Atelier did not accept this account."),
        N_("Choose another account, or ask your teacher."),
    ),
}


def find_refusal(code: str) -> Refusal:
    """Return the refusal of `code`; an unknown code has a general one."""
    return REFUSALS.get(code, REFUSALS["unknown"])
