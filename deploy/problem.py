"""The one way in which a technician's command fails."""


class DeployProblem(Exception):
    """A command cannot go on. Shown as fact and repair, without a traceback."""

    def __init__(self, fact: str, repair: str) -> None:
        super().__init__(f"{fact}\nRepair: {repair}")
        self.fact = fact
        self.repair = repair
