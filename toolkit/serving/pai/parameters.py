"""Parameters of a call: each is asked for by name and type, and what nobody asked for is told."""

from collections.abc import Mapping
from typing import Any

from toolkit.serving.problems import Kind, Problem


class Parameters:
    """The parameters of a call.

    Args:
        function: that is called, for messages.
        given: name -> value, as JSON has them.
    """

    def __init__(self, function: str, given: Mapping[str, Any]) -> None:
        # null is what many clients write for what they leave out.
        self._given = {name: value for name, value in given.items() if value is not None}
        self._function, self._asked = function, set[str]()

    def __contains__(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._given

    def required(self, name: str) -> Any:
        """Returns a parameter.

        Raises:
            Problem: it is missing.
        """
        if name not in self:
            raise Problem(Kind.MISSING_PARAMETER, f"{self._function} needs {name}.")
        return self._given[name]

    def optional(self, name: str, default: Any = None) -> Any:
        """Returns a parameter, or the default."""
        return self._given[name] if name in self else default

    def text(self, name: str, default: str | None = None) -> str:
        """Returns a text; required where there is no default."""
        value = self.required(name) if default is None else self.optional(name, default)
        return str(self._typed(name, value, str, "a text"))

    def whole(self, name: str, default: int, *, most: int) -> int:
        """Returns a whole number from 1 to `most`."""
        value = self._typed(name, self.optional(name, default), int, "a whole number")
        if not 1 <= value <= most:
            raise Problem(Kind.WRONG_VALUE, f"{name} is {value}; expected 1 to {most:,}.")
        return int(value)

    def number(self, name: str) -> float | None:
        """Returns a number; None where it is left out."""
        if name not in self:
            return None
        return float(self._typed(name, self._given[name], (int, float), "a number"))

    def flag(self, name: str) -> bool:
        """Returns true or false; false where it is left out."""
        return bool(self._typed(name, self.optional(name, default=False), bool, "true or false"))

    def mapping(self, name: str) -> dict[str, Any]:
        """Returns an object; an empty one where it is left out."""
        value: dict[str, Any] = self._typed(name, self.optional(name, {}), dict, "an object")
        return value

    def unasked(self) -> list[str]:
        """Returns the names that no function has asked for: misspelt, or of a newer client."""
        return sorted(set(self._given) - self._asked)

    def _typed(self, name: str, value: Any, wanted: type | tuple[type, ...], said: str) -> Any:
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise Problem(
                Kind.WRONG_VALUE, f"{self._function}: {name} is {value!r:.80}; expected {said}."
            )
        return value
