"""The bookkeeping of a translation: what was moved, left out, refused, and what is still unread."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from toolkit.config.yaml_core import Document, Path
from toolkit.errors import nearest


@dataclass
class Translation:
    """A document of PaddleClas on its way to one of ours.

    Attributes:
        given: the document of PaddleClas.
        mode: what is to be run, Global.mode.
        output: Global.output where an override says it; the file's own folders then do not count.
        result: our document. Its places are those of the keys that the values come from, so that
            an error of the schema leads to the line of PaddleClas's file.
        dropped: reason -> the keys that change nothing here because of it.
        notes: what a person should know of the translation.
    """

    given: Document
    mode: str = "check_dataset"
    output: str | None = None
    result: Document = field(default_factory=lambda: Document({}))
    dropped: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def root(self) -> "Source":
        """Returns the whole document of PaddleClas."""
        return Source(self, (), self.given.data)

    def put(self, target: Path, value: Any, origin: Path) -> None:
        """Sets a key of our document; `origin` is the key of PaddleClas that it comes from.

        A list grows by one when its next place is named.
        """
        node: Any = self.result.data
        for step, following in pairwise(target):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(node, dict):
                node.setdefault(step, empty)
            elif step == len(node):
                node.append(empty)
            node = node[step]
        if isinstance(node, dict):
            node[target[-1]] = value
        else:
            node.append(value)
        place = self.given.place(origin)
        for length in range(len(target) + 1):
            self.result.places.setdefault(target[:length], place)
        self.result.places[target] = place

    def drop(self, origin: Path, reason: str) -> None:
        """Records that a key changes nothing here; steps of lists go by their names alone."""
        key = dotted(tuple(step for step in origin if not isinstance(step, int)))
        keys = self.dropped.setdefault(reason, [])
        if key not in keys:
            keys.append(key)

    def refuse(self, origin: Path, reason: str) -> None:
        """Records that a key, or its value, cannot be translated."""
        self.result.problems.append(f"{self.given.place(origin)}: {dotted(origin)}: {reason}")


class Source:
    """A mapping of PaddleClas's file whose keys are read one by one.

    Args:
        translation: where what is read goes.
        path: the keys that lead to the mapping.
        data: the mapping; anything else is refused.
    """

    def __init__(self, translation: Translation, path: Path, data: Any) -> None:
        self.translation, self.path = translation, path
        self._data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        self._unread = dict.fromkeys(self._data)
        if data is not None and not isinstance(data, dict):
            self.translation.refuse(path, f"expected keys with values below it, found {data!r}.")

    def __contains__(self, key: str) -> bool:
        """Whether there is such a key that nobody has read yet."""
        return key in self._unread

    def at(self, key: str) -> Path:
        """Returns the path of a key."""
        return (*self.path, key)

    def take(self, key: str, default: Any = None) -> Any:
        """Returns a value and counts it as read."""
        self._unread.pop(key, None)
        return self._data.get(key, default)

    def word(self, key: str, default: str | None = None) -> str | None:
        """Returns a name; anything else as text, which then is the name of nothing."""
        value = self.take(key, default)
        return value if value is None else str(value)

    def peek(self, key: str, default: Any = None) -> Any:
        """Returns a value; somebody else has yet to read it."""
        return self._data.get(key, default)

    def section(self, key: str) -> "Source":
        """Returns the mapping below a key; it is empty where there is none."""
        return Source(self.translation, self.at(key), self.take(key))

    def keyed(self, key: str) -> Iterator[tuple[str, "Source"]]:
        """Yields name and options of each entry of a list such as ``- CELoss: {weight: 1.0}``."""
        entries = self.take(key)
        if not isinstance(entries, list):
            if entries is not None:
                self.refuse(
                    key, f"expected a list of 'Name: {{option: value}}', found {entries!r}."
                )
            return
        for number, entry in enumerate(entries):
            place: Path = (*self.at(key), number)
            if not isinstance(entry, dict) or len(entry) != 1:
                self.translation.refuse(
                    place, f"expected 'Name: {{option: value}}', found {entry!r}."
                )
                continue
            ((name, options),) = entry.items()
            yield name, Source(self.translation, (*place, name), options)

    def move(
        self,
        key: str,
        target: Path,
        *,
        default: Any = None,
        read: Callable[[Any], Any] | None = None,
        keep_null: bool = False,
    ) -> None:
        """Copies a value into our document.

        Args:
            key: where it is.
            target: where it goes.
            default: what PaddleClas takes where the file says nothing; None sets nothing.
            read: turns the file's value into ours.
            keep_null: null is a value of its own; otherwise it is as if the file said nothing.
        """
        given = key in self and (keep_null or self._data[key] is not None)
        value = self.take(key)
        if given:
            self.translation.put(target, read(value) if read else value, self.at(key))
        elif default is not None:
            self.translation.put(target, default, self.path)

    def drop(self, key: str, reason: str) -> None:
        """Leaves a key out, whatever its value, because it changes nothing here."""
        if key in self:
            self.take(key)
            self.translation.drop(self.at(key), reason)

    def drop_all(self, reasons: Mapping[str, str]) -> None:
        """Leaves keys out: key -> reason."""
        for key, reason in reasons.items():
            self.drop(key, reason)

    def only(self, key: str, accepted: Collection[Any], reason: str, advice: str) -> None:
        """Leaves a key out when it has a value that changes nothing, and refuses any other."""
        if key not in self:
            return
        value = self.take(key)
        if any(
            value is known or (value == known and type(value) is type(known)) for known in accepted
        ):
            self.translation.drop(self.at(key), reason)
        else:
            self.refuse(key, f"{value!r} is not supported: {advice}")

    def derived(self, key: str, expected: int | None, of: str) -> None:
        """Leaves out a size that follows from other parts; a size that does not is refused.

        Args:
            key: where it is.
            expected: what it must be; None where that is not known before the network is built.
            of: what says so.
        """
        if key not in self:
            return
        value = self.take(key)
        if expected is None:
            self.translation.drop(self.at(key), f"follows from {of}, not checked")
        elif value == expected:
            self.translation.drop(self.at(key), f"follows from {of}")
        else:
            self.refuse(key, f"is {value!r}, and {of} gives {expected}: correct one of them.")

    def refuse(self, key: str, reason: str) -> None:
        """Refuses a key or its value."""
        self._unread.pop(key, None)
        self.translation.refuse(self.at(key), reason)

    def unread(self) -> list[str]:
        """Returns the keys that nobody has read yet."""
        return list(self._unread)

    def give_up(self) -> None:
        """Counts all keys as read, where one problem says it for all of them."""
        self._unread.clear()

    def finish(self, known: Collection[str] = ()) -> None:
        """Refuses what nobody has read.

        Args:
            known: further keys that exist, for "Did you mean".
        """
        names = [*self._data, *known]
        for key in list(self._unread):
            value = self._data[key]
            others = [name for name in names if name != key]
            self.refuse(key, f"{value!r} is not supported: unknown key.{nearest(key, others)}")


def dotted(path: Path) -> str:
    """Writes a path as ``DataLoader.Train.sampler``."""
    return ".".join(map(str, path))
