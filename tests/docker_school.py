"""A small school whose workspaces are containers: a teacher, two students, their team, their course."""

from dataclasses import dataclass
from typing import Self

from tests.docker_stack import DockerStack
from tests.waiting import wait_until

SLUG = "geo-docker"
TEACHER = "docker.teacher@school-a.example"
STUDENTS = ("docker.one@students.school-a.example", "docker.two@students.school-a.example")
ACCOUNT_WITHIN_S = 60


@dataclass(frozen=True)
class DockerSchool:
    """Accounts with running workspaces."""

    stack: DockerStack
    anna: str
    boris: str
    team: str
    course: str

    @classmethod
    def open(cls, stack: DockerStack) -> Self:
        """Put the people in and start the four workspaces."""
        stack.add_people(
            f"Тереза Учителска {TEACHER} teacher",
            f"Анна Атанасова {STUDENTS[0]} student",
            f"Борис Бонев {STUDENTS[1]} student",
        )
        course_id = stack.make_course(SLUG, TEACHER, STUDENTS)
        team = stack.make_team(course_id, "Екип", STUDENTS)
        anna, boris = (stack.find_person(email) for email in STUDENTS)
        school = cls(stack, anna, boris, team, f"course-{course_id}")
        for account in school.accounts.values():
            school.ensure_running(account)
        return school

    @property
    def accounts(self) -> dict[str, str]:
        return {"personal": self.anna, "other": self.boris, "team": self.team, "course": self.course}

    def ensure_running(self, account: str) -> None:
        """Start a workspace that a test before has stopped."""
        wait_until(
            lambda: self.stack.ask_hub("GET", f"users/{account}").status_code == 200,
            ACCOUNT_WITHIN_S,
            f"the steward made no account {account}",
        )
        # For a moment the hub takes for ready what has just ended by itself.
        if not (self.stack.is_ready(account) and self.stack.is_running(account)):
            self.stack.start_workspace(account)

    def find_address(self, account: str) -> str:
        """The address of a workspace on the workspaces' network."""
        networks = self.stack.find_container(account).attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])
