"""Which courses an account has, for nbgrader's own question: the service's roster answers."""

from nbgrader.auth import BaseAuthPlugin

from atelier_nbgrader.exchange.client import ServiceClient


class ServiceAuthPlugin(BaseAuthPlugin):
    """Courses from `GET me`. Enrolment is the roster's business: adding and removing here does nothing."""

    connect = staticmethod(ServiceClient.of_workspace)

    def get_student_courses(self, student_id: str) -> list[str]:
        """The courses of this workspace's account; `student_id` cannot ask about anybody else."""
        with self.connect() as service:
            return [str(course["slug"]) for course in service.get("me")["courses"]]

    def add_student_to_course(self, student_id: str, course_id: str) -> None:
        """The roster decides."""

    def remove_student_from_course(self, student_id: str, course_id: str) -> None:
        """The roster decides."""
