"""Values of a statement that is put together: each becomes a parameter, none becomes text."""

from paddock.metadata import SqlValue


class Parameters:
    """Hands out a name for each value; `values` goes to the store with the statement."""

    def __init__(self) -> None:
        self.values: dict[str, SqlValue] = {}
        self._names: dict[tuple[type, SqlValue], str] = {}

    def bind(self, value: SqlValue) -> str:
        """Return how the statement speaks of `value`; an equal one of the same type has the same name.

        >>> parameters = Parameters()
        >>> parameters.bind("auc"), parameters.bind(1), parameters.bind("auc"), parameters.values
        (':v0', ':v1', ':v0', {'v0': 'auc', 'v1': 1})
        """
        name = self._names.setdefault((type(value), value), f"v{len(self._names)}")
        self.values[name] = value
        return f":{name}"

    def bind_all(self, values: tuple[int, ...] | tuple[str, ...]) -> str:
        """Return a list of names between commas."""
        return ", ".join(self.bind(value) for value in values)
