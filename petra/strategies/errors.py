"""What can be wrong with a strategy."""


class StrategyError(ValueError):
    """A strategy that cannot be used, or decided something impossible; says what to do."""
