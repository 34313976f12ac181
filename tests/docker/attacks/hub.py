# A student's programs use the workspace's own token against the hub, the service and the proxy.
from tests.docker.attacks.prelude import *

# %% allowed: the token works for what it is for
check("who am I", '"name"' in hub("GET", "user"), "answered")

# %% list_people: who else is there
for path in (
    "users",
    f"users/{targets['neighbour_account']}",
    "groups",
    "services",
    "shares",
    "info",
    "routes",
):
    attempt(path, lambda: hub("GET", path), "HTTP 403", "HTTP 404")
attempt("metrics", lambda: ask("GET", f"{targets['hub_url']}/hub/metrics"), "HTTP 403", "HTTP 404")

# %% make_tokens: a token that outlives the lesson, of one's own or of somebody else
for who in (os.environ["JUPYTERHUB_USER"], targets["neighbour_account"], targets["course_account"]):
    attempt(
        f"make {who}",
        lambda: hub("POST", f"users/{who}/tokens", {"expires_in": 10**9}),
        "HTTP 403",
        "HTTP 404",
    )
    attempt(f"list {who}", lambda: hub("GET", f"users/{who}/tokens"), "HTTP 403", "HTTP 404")

# %% start_and_stop_others: servers of others, and one's own with wishes
wishes = {"image": "atelier-hub:test", "cmd": ["sleep", "9"], "volumes": {"/": "/host"}, "user": "0"}
for who in (
    os.environ["JUPYTERHUB_USER"],
    targets["neighbour_account"],
    targets["course_account"],
    targets["team_account"],
):
    for method in ("POST", "DELETE"):
        attempt(f"{method} {who}", lambda: hub(method, f"users/{who}/server", wishes), "HTTP 403", "HTTP 404")
attempt(
    "second server",
    lambda: hub("POST", f"users/{os.environ['JUPYTERHUB_USER']}/servers/more", wishes),
    "HTTP 403",
)

# %% share: let oneself into other workspaces
me = os.environ["JUPYTERHUB_USER"]
for whose in (targets["neighbour_account"], targets["course_account"], me):
    body = {"user": me, "scopes": ["access:servers", "servers"]}
    attempt(f"share {whose}", lambda: hub("POST", f"shares/{whose}/", body), "HTTP 403", "HTTP 404")
    attempt(f"code {whose}", lambda: hub("POST", f"share-codes/{whose}/", {}), "HTTP 403", "HTTP 404")

# %% become_somebody: more rights, another name, another person
me = os.environ["JUPYTERHUB_USER"]
attempt("admin", lambda: hub("PATCH", f"users/{me}", {"admin": True}), "HTTP 403")
attempt("rename", lambda: hub("PATCH", f"users/{me}", {"name": "zzzzzzzzzzzz"}), "HTTP 403")
attempt("create", lambda: hub("POST", "users", {"usernames": ["zzzzzzzzzzzz"], "admin": True}), "HTTP 403")
attempt("delete", lambda: hub("DELETE", f"users/{targets['neighbour_account']}"), "HTTP 403", "HTTP 404")
attempt(
    "group", lambda: hub("POST", "groups/zzzz/users", {"users": [me]}), "HTTP 403", "HTTP 404", "HTTP 400"
)

# %% whole_hub: its end, and the proxy's routes
attempt("shutdown", lambda: hub("POST", "shutdown", {"servers": True, "proxy": True}), "HTTP 403")
attempt("routes", lambda: hub("GET", "proxy"), "HTTP 403")
attempt("own proxy", lambda: hub("PATCH", "proxy", {"ip": targets["gateway"], "port": 1}), "HTTP 403")

# %% others_activity: forged marks of life, and other accounts' names
body = {"servers": {"": {"last_activity": "2030-01-01T00:00:00Z"}}}
for who in (targets["neighbour_account"], targets["course_account"]):
    attempt(who, lambda: hub("POST", f"users/{who}/activity", body), "HTTP 403", "HTTP 404")

# %% without_token: the hub's API as nobody, and with guessed tokens
for token in ("", "0" * 32, "admin", targets["neighbour_account"]):
    attempt(f"{token!r}", lambda: hub("GET", "user", token=token), "HTTP 403", "HTTP 401")

# %% servers_of_others: other workspaces through the hub's own port
for who in (targets["neighbour_account"], targets["course_account"]):
    url = f"{targets['hub_url']}/user/{who}/api/contents"
    attempt(who, lambda: ask("GET", url), "HTTP 403", "HTTP 404", "HTTP 424", "HTTP 503", "gaierror")

# %% internal_interface: the questions that only the hub may ask the service
inner = f"{os.environ['ATELIER_SERVICE_URL']}/internal"
own = os.environ["JUPYTERHUB_API_TOKEN"]
for how in (f"Bearer {own}", f"token {own}", "Bearer "):
    for path in ("health", f"accounts/{targets['neighbour_account']}"):
        attempt(
            f"{how[:7]} {path}",
            lambda: ask("GET", f"{inner}/{path}", Authorization=how),
            "HTTP 401",
            "HTTP 403",
            "HTTP 404",
        )
person = {"provider": "google", "subject": "1", "email": targets["teacher"], "email_verified": True}
attempt(
    "sign in",
    lambda: ask("POST", f"{inner}/sign-in", person, Authorization=f"Bearer {own}"),
    "HTTP 401",
    "HTTP 403",
    "HTTP 404",
)

# %% exchange_as_another: be another account by header, path or form
api = f"{os.environ['ATELIER_SERVICE_URL']}/api/v1"
forged = {"X-Forwarded-User": targets["course_account"], "X-JupyterHub-User": targets["course_account"]}
me = ask("GET", f"{api}/me", **forged)
check("headers", os.environ["JUPYTERHUB_USER"] in me and targets["course_account"] not in me, me)
for path in (
    f"courses/{targets['slug']}/roster",
    "courses/no-such/assignments",
    "submissions/zzzzzzzzzzzz/archive",
):
    attempt(path, lambda: ask("GET", f"{api}/{path}", **forged), "HTTP 403", "HTTP 404")
results = [{"submission_id": "zzzzzzzzzzzz", "points": 100, "max_points": 1}]
attempt(
    "results",
    lambda: ask("POST", f"{api}/courses/{targets['slug']}/assignments/x/results", results),
    "HTTP 403",
    "HTTP 404",
)

# %% pages_with_the_token: people's pages, with a program's token
for page in ("", f"courses/{targets['slug']}", "school"):
    url = f"{os.environ['ATELIER_SERVICE_URL']}/{page}"
    try:
        said = ask("GET", url)
    except urllib.error.HTTPError as error:
        said = f"HTTP {error.code}"
    check(f"/{page}", said[:8] in ("HTTP 404", "HTTP 403", "HTTP 400", "HTTP 421", "HTTP 401"), said)
