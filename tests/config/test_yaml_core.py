import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.config.yaml_core import dump, parse_document, parse_scalar
from toolkit.errors import ConfigError


# Expected values from the YAML 1.2.2 specification, section 10.3.2 (core schema, tag resolution).
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("True", True),
        ("false", False),
        ("1e-3", 1e-3),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2E+05", -200000.0),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("~", None),
        ("null", None),
        ("None", "None"),
        ("2024-01-01", "2024-01-01"),
        ("-.inf", -math.inf),
        ("gpu:0,1", "gpu:0,1"),
        ("", None),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    for read in (parse_scalar(text), parse_document(f"a: {text}", "x").data["a"]):
        assert read == value
        assert type(read) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(parse_scalar(".nan"))


def test_a_doubled_key_names_both_lines() -> None:
    with pytest.raises(ConfigError, match=r"f.yaml, line 3: a.b is said twice.*f.yaml, line 2"):
        parse_document("a:\n  b: 1\n  b: 2\n", "f.yaml")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: [1, 2", "line 1"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("? [a, b]\n: 1", "key must be a word"),
        ("a: 1\n\tb: 2", "line 2"),
    ],
)
def test_bad_documents_are_refused_with_a_line(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse_document(text, "f.yaml")


def test_places_have_the_line_of_each_key() -> None:
    document = parse_document("a:\n  b: 1\n  c:\n    - {d: 2}\n", "f.yaml")
    assert document.place(("a", "b")) == "f.yaml, line 2"
    assert document.place(("a", "c", 0, "d")) == "f.yaml, line 4"
    assert document.place(("a", "zzz")) == "f.yaml, line 1"


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)
    | st.sampled_from(["on", "1e-3", "010", "None", "null", "1:30", "~", "0x1", "2024-01-01", "="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "on", "x y"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(_PLAIN)
def test_what_is_dumped_reads_back(data: object) -> None:
    document = parse_document(dump({"root": data}), "x")
    assert document.data == {"root": data}
