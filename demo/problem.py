"""What stops the demo, said once: the fact, and the repair."""


class DemoProblem(Exception):
    """Something that the person at the terminal can repair.

    `fact` names the object and what is wrong with it; `repair` says what to do. Both are whole sentences.
    """

    def __init__(self, fact: str, repair: str) -> None:
        super().__init__(f"{fact}\n  Repair: {repair}")
        self.fact = fact
        self.repair = repair
