"""What is wrong with a sheet or a statement, by the name of the field."""


class BadStatement(ValueError):
    """A sheet, statement or opening is refused; ``field`` names what does not hold, ``why`` says it in one sentence."""

    def __init__(self, meter: int, field: str, why: str) -> None:
        self.meter, self.field, self.why = meter, field, why
        super().__init__(f"meter {meter}: {field}: {why}")
