"""Who may do what on the hub: every scope with its reason. Hub groups and hub roles carry no tenancy."""

import re
from typing import Any, Final

EXCHANGE_SCOPE: Final = "custom:atelier:exchange"
CLIENT_OF_SHARED_WORKSPACE = re.compile(r"jupyterhub-user-(team|course)-[a-z][a-z0-9]{11}")

CUSTOM_SCOPES: Final = {
    EXCHANGE_SCOPE: {
        "description": "Use the exchange as this account: only a workspace's own token has it.",
    }
}

# What every account may do with itself. JupyterHub's default is `self`, which adds making API tokens and
# renaming: a token of a child that outlives the lesson serves nobody here.
USER_SCOPES: Final = (
    "read:users!user",  # pages of the hub show one's own name
    "users:activity!user",  # a workspace reports that it is in use, or it would be culled
    "servers!user",  # start and stop the own workspace
    "access:servers!user",  # open it
    "access:services!service=atelier",  # sign in to the service's pages
    EXCHANGE_SCOPE,  # nobody can hand on what the account does not hold: SERVER_TOKEN_SCOPES below
)

# What a workspace's own token may do. The exchange recognises it by the custom scope; a visitor's OAuth
# token in a shared workspace never has that, because `oauth_client_allowed_scopes` stays empty.
SERVER_TOKEN_SCOPES: Final = (
    "users:activity!user",  # report activity
    "access:servers!server",  # a workspace's parts may call one another
    "read:users:name!user",  # ask the hub whose token this is
    EXCHANGE_SCOPE,
)

# The steward compares what the roster calls for with the hub and repairs the hub.
STEWARD_SCOPES: Final = (
    # Create accounts of teams and courses; JupyterHub has no smaller scope that creates users. It contains
    # users:activity: the culler hears that an announced lesson needs a workspace.
    "admin:users",
    # Stop a workspace in which a right ended, start and stop those of announced lessons; also held because it
    # is shared with members.
    "servers",
    "access:servers",  # held only because who shares must hold what is shared
    "shares",  # grant and revoke the members' access
    "tokens",  # delete the tokens of somebody who left
)

CULLER_SCOPES: Final = (
    "list:users",  # walk through the accounts
    "read:users:activity",  # when was it used last
    "read:servers",  # since when does it run
    "delete:servers",  # stop it
)

ROLES: Final = (
    {"name": "user", "description": "Everybody, with regard to the own account", "scopes": list(USER_SCOPES)},
    {"name": "steward", "scopes": list(STEWARD_SCOPES), "services": ["steward"]},
    {"name": "culler", "scopes": list(CULLER_SCOPES), "services": ["culler"]},
    # web has no role: the OAuth flow and `GET /hub/api/user` with a token that was shown to it need none.
)


# Only where a token for it is set: JupyterHub refuses a role of a service that it does not know.
MONITORING_ROLE: Final = {
    "name": "monitoring",
    "scopes": ["read:metrics"],  # numbers of the whole hub; no name, no account
    "services": ["monitoring"],
}


class SharedWorkspaces(set[str]):
    """OAuth clients without an "Authorize access" page: the service, each team's and course's workspace.

    JupyterHub asks only `client_id in …` and cannot name clients that do not exist yet. Whether somebody may
    open such a workspace is decided by the share, before and after this question.
    """

    def __contains__(self, client_id: object) -> bool:
        if super().__contains__(client_id):
            return True
        return isinstance(client_id, str) and CLIENT_OF_SHARED_WORKSPACE.fullmatch(client_id) is not None

    def __deepcopy__(self, memo: dict[int, Any]) -> "SharedWorkspaces":
        return SharedWorkspaces(self)
