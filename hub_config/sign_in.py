"""Sign-in: Google says who, the roster says whether. Identity is asked of Google at sign-in only.

Every check stands in a method that JupyterHub calls whatever the ``allow_*`` settings say:
`update_auth_model` runs inside `authenticate`, `check_blocked_users` right after it. No provider token is
stored.
"""

import re
from collections.abc import Mapping
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.orm import APIToken
from oauthenticator.google import GoogleOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets import Unicode, default

from hub_config.accounts import Accounts, ServiceDown, SignInRefused, connect_service
from hub_config.city import City
from hub_config.log_secrets import hide_secrets_in
from hub_config.pages import ToMyWorkHandler, hub_loggers
from hub_config.refusals import find_refusal

PERSON_ID = re.compile(r"[a-z][a-z0-9]{11}")
# For as long as somebody may sit before Google's page.
STATE_DAYS = 1 / 24
ACCOUNT_PATTERN = r"^((team|course)-)?[a-z][a-z0-9]{11}$"


def check_claims(user_info: Mapping[str, Any], city: City) -> None:
    """Check what Google says of an account before the service hears of it. Raises SignInRefused.

    `hd` is Google's word that an organisation manages the account; without it an address of a school's
    domain may belong to a personal account that somebody registered with it.
    """
    email = user_info.get("email")
    if not isinstance(email, str) or "@" not in email or not user_info.get("id"):
        raise SignInRefused("no_email")
    if user_info.get("verified_email") is not True:
        raise SignInRefused("unverified")
    hosted_domain = user_info.get("hd")
    if not hosted_domain:
        raise SignInRefused("personal_account")
    school = city.find_school_of_domain(str(hosted_domain))
    if school is None or city.find_school_of_domain(email.rpartition("@")[2]) is None:
        raise SignInRefused("other_domain")


def describe_attempt(user_info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of ``POST internal/sign-in`` for Google's user info (v1)."""
    return {
        "provider": "google",
        "subject": str(user_info["id"]),
        "email": user_info["email"],
        "email_verified": user_info.get("verified_email") is True,
        "hosted_domain": user_info.get("hd"),
    }


def name_state_cookie(handler: BaseHandler) -> str:
    """Return the name of the cookie that binds a sign-in to its browser.

    Accounts' origins lie below the hub's: without the prefix a script there could set the attacker's own
    cookie and so sign the victim in as the attacker. Browsers accept the prefix under https only.
    """
    return "__Host-atelier-sign-in" if handler.settings["public_url"].scheme == "https" else "atelier-sign-in"


class SignInHandler(OAuthLoginHandler):
    """`/hub/oauth_login`: to Google. With `?other_account=1` Google shows its account chooser."""

    def set_state_cookie(self, state_cookie_value: str) -> None:
        """Keep the state until the browser ends; its signed time ends it after `STATE_DAYS`."""
        self._set_cookie(name_state_cookie(self), state_cookie_value, expires_days=None, httponly=True)

    def authorize_redirect(
        self, *args: Any, extra_params: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        params = dict(extra_params or {})
        if self.get_argument("other_account", ""):
            params["prompt"] = "select_account"
        super().authorize_redirect(*args, extra_params=params, **kwargs)


class CallbackHandler(OAuthCallbackHandler):
    """`/hub/oauth_callback`: back from Google. Whatever is wrong with it ends in a page of ours."""

    _state_cookie: str | None = None

    async def get(self) -> None:
        try:
            self.check_arguments()
            user = await self.login_user()
            if user is None:
                raise SignInRefused("unknown")
        except SignInRefused as refused:
            await self._answer_refusal(refused)
        else:
            self.redirect(self.get_next_url(user))

    def get_state_cookie(self) -> str:
        """Return the state of this browser's sign-in and use it up."""
        if self._state_cookie is None:
            kept = self.get_secure_cookie(name_state_cookie(self), max_age_days=STATE_DAYS) or b""
            self._state_cookie = kept.decode("utf8", "replace")
            self.clear_cookie(name_state_cookie(self))
        return str(self._state_cookie)

    def check_arguments(self) -> None:
        """Check state, error and code; one value each. Raises SignInRefused."""
        for name in ("state", "error", "code"):
            if len(self.get_arguments(name)) > 1:
                raise SignInRefused("lost_state")
        try:
            self.check_state()
        except (HTTPError, ValueError, AttributeError, TypeError):
            raise SignInRefused("lost_state") from None
        if error := self.get_argument("error", ""):
            raise SignInRefused("cancelled" if error == "access_denied" else "provider_down")
        if not self.get_argument("code", ""):
            raise SignInRefused("lost_state")

    async def _answer_refusal(self, refused: SignInRefused) -> None:
        if refused.code == "lost_state" and self.current_user:
            # The other tab has signed in meanwhile: there is nothing left to do here.
            self.redirect(self.get_next_url(self.current_user))
            return
        self.log.info("Sign-in refused: %s", refused.code)
        refusal = find_refusal(refused.code)
        self.set_status(refusal.status)
        # This address carries the provider's code and state; no link on the page may pass them on.
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        html = await self.render_template(
            "refused.html",
            refusal=refusal,
            code=refused.code,
            contact=self.authenticator.find_contact(refused.school),
        )
        self.finish(html)


class SignOutHandler(OAuthLogoutHandler):
    """`/hub/logout`: out of every page and workspace that this person has open.

    JupyterHub ends what one browser session opened, and a cookie for all names below the hub's says which. A
    page of an account's origin could have exchanged it: on a shared laptop the next one would find the rest
    open. Where the person is signed in elsewhere, the hub's own cookie there opens it all again.
    """

    async def default_handle_logout(self) -> None:
        user = self.current_user
        await super().default_handle_logout()
        if user:
            opened = self.db.query(APIToken).filter(
                APIToken.user_id == user.id, APIToken.session_id.is_not(None)
            )
            for token in opened:
                self.db.delete(token)
            self.db.commit()


class AtelierAuthenticator(GoogleOAuthenticator):
    """GoogleOAuthenticator that admits whom the roster knows, under the person's opaque id."""

    login_handler = SignInHandler
    callback_handler = CallbackHandler
    logout_handler = SignOutHandler

    city: Any = AnyTrait(help="The `City`, for its domains and contacts.").tag(config=True)
    internal_url = Unicode(help="Base of the service's internal interface, with a slash at its end.").tag(
        config=True
    )
    internal_token = Unicode(help="Token for the internal interface.").tag(config=True)
    my_work_url = Unicode(help="Where the hub's own home leads: the service's page My work.").tag(config=True)
    accounts: Any = AnyTrait(help="Asks the service and keeps its last answers.")

    @default("accounts")
    def _default_accounts(self) -> Accounts:
        return Accounts(connect_service(self.internal_url, self.internal_token), log=self.log)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        hide_secrets_in(hub_loggers(self.log))

    def get_handlers(self, app: Any) -> list[tuple[str, type[BaseHandler]]]:
        """Add the hub's own home and token pages, which lead to My work."""
        return [*super().get_handlers(app), (r"/home", ToMyWorkHandler), (r"/token", ToMyWorkHandler)]

    # ------------------------------------------------ who
    def build_access_tokens_request_params(self, handler: Any, data: Any = None) -> dict[str, Any]:
        """Only the callback signs in: a form posted to /hub/login has no state that was checked."""
        if not isinstance(handler, CallbackHandler):
            raise HTTPError(403)
        params: dict[str, Any] = super().build_access_tokens_request_params(handler, data)
        return params

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Exchange the code. A code that was used before ends in "start again", everything else in "wait"."""
        try:
            info: dict[str, Any] = await super().get_token_info(handler, params)
        except HTTPClientError as error:
            raise SignInRefused("lost_state" if error.code == 400 else "provider_down") from error
        except (HTTPError, OSError, ValueError, TypeError) as error:
            raise SignInRefused("provider_down") from error
        return info

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Read the user info of Google."""
        try:
            info = await super().token_to_user(token_info)
        except (HTTPClientError, HTTPError, OSError, ValueError, KeyError) as error:
            raise SignInRefused("provider_down") from error
        if not isinstance(info, dict):
            raise SignInRefused("provider_down")
        return info

    def user_info_to_username(self, user_info: Mapping[str, Any]) -> str:
        """Return Google's subject: a name until `update_auth_model` knows the person's id."""
        check_claims(user_info, self.city)
        return str(user_info["id"])

    async def check_allowed(self, username: str, auth_model: dict[str, Any]) -> bool:
        """The roster is the list of who may, and `check_blocked_users` has read it: no second list here."""
        return True

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Ask the service for the person; name the account after the person's id; grant no hub rights."""
        user_info = auth_model["auth_state"][self.user_auth_state_key]
        check_claims(user_info, self.city)
        account = await self.accounts.sign_in(describe_attempt(user_info))
        named = {"name": account.account, "user_info": account.user_info, "atelier_person": account.account}
        return {**auth_model, **named, "admin": False}

    async def check_blocked_users(self, username: str, auth_model: dict[str, Any]) -> bool:
        """Admit only the person whom the service named in this very sign-in; never a shared account."""
        named = auth_model.get("atelier_person")
        if named != username or not PERSON_ID.fullmatch(username):
            self.log.error("Sign-in as %s without the service's word for it", username)
            raise SignInRefused("unknown")
        check_claims(auth_model["auth_state"][self.user_auth_state_key], self.city)
        return bool(super().check_blocked_users(username, auth_model))

    # ------------------------------------------------ who still
    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask the roster, not Google, whether the account is active: persons, teams and courses alike."""
        account = await self._find_account(user.name)
        if account is None or not account.active:
            return False
        if user.orm_user.user_info == account.user_info:
            return True
        return {"name": user.name, "user_info": account.user_info}

    async def _find_account(self, name: str) -> Any:
        try:
            return await self.accounts.find(name)
        except ServiceDown as down:
            self.log.error("Nobody vouches for %s any more: %s", name, down)
            return None

    def find_contact(self, school_id: str | None) -> str | None:
        """Return the address of a school's administrator, when the refusal belongs to a school."""
        school = self.city.schools.get(school_id) if school_id else None
        return school.first_administrator if school else None
