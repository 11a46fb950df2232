"""A pickle machine that can build numbers, text, plain containers and arrays, and nothing else.

Python's own unpickler imports what a file names and calls it; restricting the names still leaves
the imported objects to be called with any argument, and to be changed, by the file. So this is a
machine of its own for the opcodes that weight files consist of. It imports nothing and calls
nothing that a file names: `pickled_arrays.RECIPES` answers a handful of names, all else is refused.

Source: the opcode table and argument readers of Python's `pickletools`, protocols 0 to 5.
Protocols 0 and 1 are what Python 2 wrote; its texts are bytes, and are read as Latin-1.
"""

import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from toolkit.cards.pickled_arrays import (
    RECIPES,
    Array,
    Dtype,
    Name,
    RefusedError,
    checked_key,
    describe,
    known_name,
)

MAX_DEPTH = 64
# Calls may build this many times the bytes that were read. An honest file stays below 2 (bytes,
# then the array of them); one that builds the same bytes again and again would fill the memory.
_GROWTH = 4
_SLACK_BYTES = 1 << 20
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}


@dataclass(frozen=True)
class Names:
    """What the pickles of another framework may name beside `RECIPES`.

    Attributes:
        recipes: dotted name -> what answers a call of it; it looks at every argument.
        persistent: answers a persistent id.
    """

    recipes: Mapping[str, Callable[..., Any]]
    persistent: Callable[[Any], Any]


def load(file: BinaryIO, names: Names | None = None) -> Any:
    """Reads one pickle.

    Args:
        file: at the first byte of the pickle.
        names: what it may name beside `RECIPES`; without, it has no persistent ids either.

    Returns:
        dict, list, tuple, str, bytes, int, float, bool, None, numpy arrays and numpy numbers. An
        OrderedDict becomes a dict; a tensor as `paddle.save` nests it becomes an array.

    Raises:
        RefusedError: anything else; the message says what, and nothing in the file has been run.
    """
    try:
        value, _ = _resolve(_Machine(file, names).run(), {}, 0)
    except (ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
        # What the argument readers and the stack raise on bytes that were cut off or made up.
        raise RefusedError(f"damaged pickle ({type(error).__name__}: {error!s:.100})") from error
    except (struct.error, EOFError, MemoryError) as error:
        raise RefusedError(f"damaged pickle ({error!s:.100})") from error
    return value


class _Machine:
    """The stack, the marks and the memo of one pickle."""

    def __init__(self, file: BinaryIO, names: Names | None = None) -> None:
        self.file, self.names = file, names
        self.recipes = {**RECIPES, **(names.recipes if names else {})}
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.bytes_built = 0

    def run(self) -> Any:
        while True:
            code = self.file.read(1)
            if not code:
                raise RefusedError("it is empty or ends in the middle")
            if code not in _OPCODES:
                raise RefusedError(f"byte {code!r} is no opcode, so this is no pickle")
            opcode = _OPCODES[code]
            if opcode.name == "STOP":
                return self.finish()
            if opcode.name not in _ALLOWED:
                raise RefusedError(f"opcode {opcode.name} is not needed for arrays")
            argument = self.argument(opcode)
            if opcode.name in _PUSHED:
                self.stack.append(argument)
            elif opcode.name in _CONSTANTS:
                self.stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, argument)

    def argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        if opcode.name == "STRING":
            return _quoted_text(self.file.readline())
        return opcode.arg.reader(self.file) if opcode.arg else None

    def finish(self) -> Any:
        if self.marks or len(self.stack) != 1:
            raise RefusedError("it ends with an unfinished value")
        return self.stack.pop()

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def push_tuple(self, items: list[Any]) -> None:
        self.stack.append(tuple(items))

    def pop(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) < count:
            raise RefusedError("it takes more values than there are")
        del self.stack[-count:]
        return items

    def remember(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise RefusedError("items are appended to something that is no list")
        self.stack[-1].extend(items)

    def push_list(self, items: list[Any]) -> None:
        self.stack.append(items)

    def push_dict(self, flat: list[Any]) -> None:
        self.stack.append({})
        self.update(flat)

    def update(self, flat: list[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise RefusedError("entries are set in something that is no dict")
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            self.stack[-1][checked_key(key)] = value

    def name(self, module: Any, attribute: Any) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise RefusedError("it names something by a value that is no text")
        self.stack.append(known_name(module, attribute, self.recipes))

    def call(self) -> None:
        function, arguments = self.pop(2)
        if not isinstance(function, Name) or str(function) not in self.recipes:
            raise RefusedError(f"it calls {describe(function)}")
        if not isinstance(arguments, tuple):
            raise RefusedError(f"the arguments of {function} are no tuple")
        self.stack.append(self.recipes[str(function)](*arguments))
        self.account(self.stack[-1])

    def refer(self) -> None:
        if self.names is None:
            raise RefusedError("it refers to something outside of itself")
        self.stack.append(self.names.persistent(self.stack.pop()))

    def build(self) -> None:
        target, state = self.pop(2)
        if self.names is not None and type(target) is dict:
            # PyTorch notes versions of layers beside a state_dict, as an attribute.
            self.stack.append(target)
            return
        if not isinstance(target, Array | Dtype):
            raise RefusedError(f"it sets the state of {describe(target)}")
        target.build(state)
        self.stack.append(target)
        self.account(target)

    def account(self, value: Any) -> None:
        if isinstance(value, Array) and value.value is not None:
            self.bytes_built += value.value.nbytes
        elif isinstance(value, bytes | dict | tuple):
            self.bytes_built += len(value)
        if self.bytes_built > _GROWTH * self.file.tell() + _SLACK_BYTES:
            raise RefusedError("it builds far more than it holds")


def _resolve(value: Any, done: dict[int, tuple[Any, int]], depth: int) -> tuple[Any, int]:
    """Replaces placeholders; returns the plain value and how deep it is nested."""
    if depth > MAX_DEPTH:
        raise RefusedError(f"containers are nested more than {MAX_DEPTH} deep, or in themselves")
    if isinstance(value, Array):
        if value.value is None:
            raise RefusedError("an array without values")
        return value.value, 0
    if isinstance(value, Name | Dtype):
        raise RefusedError(f"{describe(value)} stands where a value should be")
    if not isinstance(value, dict | list | tuple) or isinstance(value, np.generic):
        return value, 0
    if id(value) not in done:
        done[id(value)] = _resolve_container(value, done, depth)
    plain, height = done[id(value)]
    if depth + height > MAX_DEPTH:
        raise RefusedError(f"containers are nested more than {MAX_DEPTH} deep")
    return plain, height


def _resolve_container(
    value: dict[Any, Any] | list[Any] | tuple[Any, ...],
    done: dict[int, tuple[Any, int]],
    depth: int,
) -> tuple[Any, int]:
    inside = value.values() if isinstance(value, dict) else value
    resolved = [_resolve(item, done, depth + 1) for item in inside]
    height = 1 + max((below for _, below in resolved), default=0)
    items = [item for item, _ in resolved]
    if isinstance(value, dict):
        return dict(zip(value, items, strict=True)), height
    return type(value)(items), height


def _quoted_text(line: bytes) -> str:
    """Reads the repr of a text of Python 2."""
    quoted = line.removesuffix(b"\n")
    if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[-1:] != quoted[:1]:
        raise RefusedError("a text has no quotes around it")
    return _ESCAPE.sub(_unescaped, quoted[1:-1]).decode("latin-1")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code[1:], 16)]) if len(code) > 1 else _ESCAPED[code]


_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}
_IGNORED = {"PROTO", "FRAME"}
_PUSHED = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("SHORT_BINSTRING", "BINSTRING"),
    *("INT", "LONG", "FLOAT", "STRING", "UNICODE"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.mark(),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "TUPLE": lambda machine, _: machine.push_tuple(machine.pop_mark()),
    "TUPLE1": lambda machine, _: machine.push_tuple(machine.pop(1)),
    "TUPLE2": lambda machine, _: machine.push_tuple(machine.pop(2)),
    "TUPLE3": lambda machine, _: machine.push_tuple(machine.pop(3)),
    "DICT": lambda machine, _: machine.push_dict(machine.pop_mark()),
    "LIST": lambda machine, _: machine.push_list(machine.pop_mark()),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.pop_mark()),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    "BINPUT": lambda machine, number: machine.remember(number),
    "LONG_BINPUT": lambda machine, number: machine.remember(number),
    "PUT": lambda machine, number: machine.remember(number),
    "GET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "LONG_BINGET": lambda machine, number: machine.stack.append(machine.memo[number]),
    "GLOBAL": lambda machine, text: machine.name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.pop(2)),
    "BINPERSID": lambda machine, _: machine.refer(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
_ALLOWED = _IGNORED | _PUSHED | set(_CONSTANTS) | set(_ACTIONS)
