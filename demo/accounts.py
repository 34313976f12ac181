"""The demo's accounts: who can be chosen at the demo's sign-in provider, and what each can do."""


def describe_accounts() -> str:
    """Return the table that `make run` prints."""
    return ""
