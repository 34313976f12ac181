"""What the steps of the tour share, and how a claim is made."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from atelier.projects import Template

from demo.launch import Demo
from demo.tour.cast import Student
from demo.tour.memory import WorkspaceWatch
from demo.tour.people import Person
from demo.tour.workspace import Workspace


@dataclass
class Tour:
    """The tour's state. A step reads what earlier steps have found and adds its own."""

    demo: Demo
    template: Template
    template_dir: Path
    roster_file: Path
    teacher_email: str
    students: list[Student]
    watch: WorkspaceWatch
    csv_file: Path
    slug: str = ""
    course_account: str = ""
    teacher: Person | None = None
    course: Workspace | None = None
    """The course workspace, while it runs."""
    accounts: dict[str, str] = field(default_factory=dict)
    """e-mail address → account of the student; `team <number>` → account of the team."""
    words: dict[tuple[str, str], str] = field(default_factory=dict)
    """(name, assignment) → what the course page says of a student who gets no mark."""
    refusals: dict[str, str] = field(default_factory=dict)
    """e-mail address → how the exchange refused the attack."""
    awarded: dict[tuple[str, str], float] = field(default_factory=dict)
    """(account, assignment) → points in the teacher's gradebook, from tests and by hand."""
    failures: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, holds: object, text: str) -> None:
        """Note a claim that does not hold; the tour goes on and fails at its end."""
        if not holds:
            with self._lock:
                self.failures.append(text)
                print(f"            NOT SO: {text}", flush=True)

    def say(self, text: str) -> None:
        """Print one line below the step that is being played."""
        with self._lock:
            print(f"            {text}", flush=True)

    def play(self, title: str, step: Callable[["Tour"], None]) -> None:
        """Play one step and print how long it took."""
        began = time.monotonic()
        print(f"[{began - self._began:6.1f} s] {title} …", flush=True)
        step(self)
        print(f"            done in {time.monotonic() - began:.1f} s", flush=True)

    def find_assignment(self, kind: str) -> str:
        """Return the name of the template's first assignment of a kind ('individual', 'team')."""
        return next(a.name for a in self.template.assignments if a.kind == kind)
