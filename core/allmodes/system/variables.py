"""Variables of the environment."""


class VariableError(ValueError):
    """A variable of the environment that cannot be used; the message names it and says what it may be."""
