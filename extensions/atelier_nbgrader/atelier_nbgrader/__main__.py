"""`python -m atelier_nbgrader restore <course> <assignment> [<receipt id>]`: an own submission, opened
again."""

import argparse
from pathlib import Path

from atelier_nbgrader.exchange.client import ServiceClient, ServiceRefusal
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.no_room import describe, is_about_room
from atelier_nbgrader.receipts import describe_receipt
from atelier_nbgrader.restore import list_submissions, restore
from atelier_nbgrader.unpacking import BrokenArchive


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m atelier_nbgrader")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser(
        "restore", help=_("List own submissions, or open one again beside the work.")
    )
    for name in ("course", "assignment"):
        command.add_argument(name)
    command.add_argument("receipt", nargs="?")
    given = parser.parse_args()
    try:
        if given.receipt:
            print(restore(given.receipt, Path.home()))
            return 0
        with ServiceClient.of_workspace() as service:
            for receipt in list_submissions(service, given.course, given.assignment):
                print(describe_receipt(receipt))
    except (ServiceRefusal, BrokenArchive) as refusal:
        print(refusal)
        return 1
    except OSError as error:
        if not is_about_room(error):
            raise
        print(describe(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
