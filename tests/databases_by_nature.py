"""Which tests run on one kind of database only, and which open one in a way of their own; each with why.

`unit/test_service_databases.py` holds both lists: nothing may be missing in them, and nothing be stale.
"""

WORKSPACE = "of what a workspace does; what the service answers: unit/test_exchange_*.py, on both"

# A file, or a test as FILE::NAME. These take `databases` as all do, and run on SQLite only.
ONE_IS_ENOUGH = {
    "tests/unit/test_store.py::test_a_write_session_keeps_its_check_true_until_it_commits": (
        "SQLite's one writer at a time is what makes it true; on PostgreSQL the rooms lock rows, as"
        " test_rooms_at_once.py and test_exchange_at_once.py claim"
    ),
    "tests/browser/test_pages_browser.py": (
        "of what Chromium does with pages; what the service answers: unit/test_pages_*.py, on both"
    ),
    "tests/unit/test_lab_exchange.py": WORKSPACE,
    "tests/integration/test_nbgrader_course_start.py": WORKSPACE,
    "tests/integration/test_nbgrader_exchange.py": WORKSPACE,
}

DEMO = "of the demo, whose databases are SQLite files in its folder; on PostgreSQL: "

# Files that reach the service's database otherwise than through `databases`.
IN_THEIR_OWN_WAY = {
    "tests/databases.py": "makes the databases",
    "tests/exchange_stand.py": "opens the database it is given",
    "tests/pages_town.py": "opens what `databases` made, to build the town in it once",
    "tests/atelier_stack.py": DEMO + "killable_stack.py, deploy/ and docker/ run the whole of Atelier",
    "tests/integration/test_course_template_scores.py": "the database is a gradebook, not the service's",
    "tests/integration/test_backup_restore.py": "of towns, the hub's databases and the service's; on both",
    "tests/unit/test_backup.py": DEMO + "integration/test_backup_restore.py",
    "tests/hostile_town.py": DEMO + "integration/test_backup_restore.py",
}
