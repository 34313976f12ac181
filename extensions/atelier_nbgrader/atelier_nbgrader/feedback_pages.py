"""The last line of defence in a feedback page: a policy in the page itself, wherever it is opened."""

import re

# Nothing is loaded or run: pictures are inside the page, styles too.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
    "base-uri 'none'"
)
_META = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


def protect_page(page: str) -> str:
    """The page with the policy as the first thing in its head. Raises ValueError for a page without a
    head."""
    found = _HEAD.search(page)
    if found is None:
        raise ValueError("a feedback page without <head>")
    return page[: found.end()] + _META + page[found.end() :]
