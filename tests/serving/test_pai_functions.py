"""PAI's functions without a socket."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import READER, WRITER, as_text, drawn
from toolkit.serving.databases import Quota
from toolkit.serving.pai.envelope import read_call
from toolkit.serving.pai.functions import Functions
from toolkit.serving.pai.sessions import Sessions
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client

Answer = dict[str, Any]
Call = Callable[..., Answer]


@pytest.fixture
def functions(service: Service) -> Functions:
    return Functions(service, Sessions(service), "img_retrieval_001", "retrieval")


@pytest.fixture
def call(functions: Functions) -> Call:
    def call(name: str, client: Client = WRITER, **parameters: Any) -> Answer:
        body = {"function_name": name, "function_params": parameters}
        return functions.call(read_call(body), client)

    return call


@pytest.fixture
def opened(call: Call) -> Call:
    keys = {"ak_id": "id", "ak_secret": "s", "hosts": "h", "buckets": ["b"]}
    call("init", backend="oss", root_path="oss://bucket/shop/", oss_io_config=keys)
    call("add", database_name="a", feature_dim_dict={"feature": 256})
    return call


def _refused(call: Call, name: str, **parameters: Any) -> Kind:
    with pytest.raises(Problem) as caught:
        call(name, **parameters)
    return caught.value.kind


def test_everything_but_match_needs_init(call: Call) -> None:
    for name in ("add", "get", "save", "db_set", "db_search"):
        assert _refused(call, name, database_name="a") is Kind.NOT_INITIALISED
    same = call("match", imagea=as_text(drawn(1)), imageb=as_text(drawn(1)))
    assert same["similarity"] >= 0.9999
    other = call("match", imagea=as_text(drawn(1)), imageb=as_text(drawn(2)), metric="L2")
    assert other["l2_distance"] > 0.1
    assert other["similarity"] < 0.999


def test_a_registered_picture_is_found_first_and_in_order(opened: Call) -> None:
    for seed in range(6):
        told = opened(
            "db_set", database_name="a", image=as_text(drawn(seed)), group_id=str(seed % 2)
        )
        assert told["info"] == {"add": True, "update": False}
        assert (told["group_id"], told["intra_id"]) == (str(seed % 2), seed // 2)
    answer = opened("db_search", database_name="a", image=as_text(drawn(3)), search_topk=99)
    result = answer["result"]
    assert [one["rank"] for one in result] == [1, 2, 3, 4, 5, 6]
    assert (result[0]["group_id"], result[0]["intra_id"]) == ("1", 1)
    assert result[0]["similarity"] >= 0.9999
    scores = [one["similarity"] for one in result]
    assert scores == sorted(scores, reverse=True)
    assert all(one["distance"] == pytest.approx(1 - one["similarity"]) for one in result)
    assert len(opened("db_search", database_name="a", image=as_text(drawn(3)))["result"]) == 1
    groups = opened(
        "db_search", database_name="a", image=as_text(drawn(3)), search_topk=9, group_by=True
    )
    assert [one["group_id"] for one in groups["result"]] == ["1", "0"]


@pytest.mark.parametrize("k", [0, -1, "3", 1.5, True, None.__class__, [1], 101])
def test_a_topk_that_is_none(opened: Call, k: object) -> None:
    wrong = _refused(opened, "db_search", database_name="a", image=as_text(drawn(1)), search_topk=k)
    assert wrong is Kind.WRONG_VALUE


def test_keys_overwriting_and_deleting(opened: Call) -> None:
    picture = as_text(drawn(1))
    opened("db_set", database_name="a", image=picture, group_id=0)
    opened("db_set", database_name="a", image=picture, group_id="0", intra_id=5)
    told = opened("db_set", database_name="a", image=picture, group_id="0", data={"n": 1})
    assert told["intra_id"] == 6
    again = opened("db_set", database_name="a", image=as_text(drawn(2)), group_id=0, intra_id=5)
    assert again["info"] == {"add": True, "update": True}
    assert [
        one["intra_id"] for one in opened("db_get", database_name="a", group_id="0")["result"]
    ] == [0, 6, 5]
    assert opened("db_update", database_name="a", group_id="0", intra_id=6, image=picture)[
        "info"
    ] == {"update": True}
    one = opened("db_get", database_name="a", group_id="0", intra_id=6)["result"]
    assert one == [{"group_id": "0", "intra_id": 6, "savename": None, "data": {}}]
    assert opened("db_del", database_name="a", group_id=0, intra_id=5)["info"] == {"delete": 1}
    assert _refused(opened, "db_del", database_name="a", group_id=0, intra_id=5) is Kind.NO_RECORD
    assert _refused(opened, "db_get", database_name="a", group_id="none") is Kind.NO_RECORD
    assert (
        _refused(opened, "db_update", database_name="a", group_id="0", intra_id=77, image=picture)
        is Kind.NO_RECORD
    )
    assert opened("db_del", database_name="a", group_id="0")["info"] == {"delete": 2}
    opened("db_set", database_name="a", image=picture, group_id="x")
    assert opened("db_clean", database_name="a")["info"] == {"delete": 1}
    assert opened("get")["db_dict"]["a"]["count"] == 0


def test_databases(opened: Call) -> None:
    assert opened("add", database_name="a")["status"] is False
    assert opened("add", database_name="b", feature_distance_dict={"f": "L2"})["status"] is True
    assert (
        _refused(opened, "add", database_name="c", feature_dim_dict={"feature": 384})
        is Kind.WRONG_DIMENSION
    )
    assert (
        _refused(opened, "add", database_name="a", feature_distance_dict={"feature": "L2"})
        is Kind.DATABASE_EXISTS
    )
    assert _refused(opened, "add", database_name="../c") is Kind.WRONG_VALUE
    assert opened("get")["db_dict"]["b"]["feature_distance_dict"] == {"f": "L2"}
    assert list(opened("get", database_name="a")["db_dict"]) == ["a"]
    assert opened("save", database_name="a")["info"]
    assert opened("load", database_name="a")["info"]
    assert opened("delete", database_name="b")["status"] is True
    assert _refused(opened, "load", database_name="b") is Kind.NO_DATABASE
    assert _refused(opened, "db_search", database_name="b", image="x") is Kind.NO_DATABASE


def test_a_saved_picture_is_found_by_its_address_and_nothing_else_is(
    opened: Call, service: Service
) -> None:
    opened("db_set", database_name="a", image=as_text(drawn(1)), group_id="g", savename="1.png")
    file = service.folders.root / "bucket" / "shop" / "a" / "images" / "1.png"
    assert file.read_bytes() == drawn(1)
    address = "oss://bucket/shop/a/images/1.png"
    assert opened("db_search", database_name="a", image=address)["result"][0]["similarity"] > 0.9999
    secret = service.folders.root.parent / "secret.png"
    secret.write_bytes(drawn(2))
    (service.folders.root / "bucket" / "link.png").symlink_to(secret)
    for bad in ("oss://bucket/../../secret.png", "oss://../secret.png", "oss://bucket/link.png"):
        kind = _refused(opened, "db_search", database_name="a", image=bad)
        assert kind in (Kind.FORBIDDEN, Kind.NOT_FETCHED)
    for bad in ("oss://bucket/shop/a/database.json", "bm90IGEgcGljdHVyZQ==", "%%%"):
        assert _refused(opened, "db_search", database_name="a", image=bad) is Kind.BAD_PICTURE
    assert (
        _refused(opened, "db_search", database_name="a", image="http://127.0.0.1/x")
        is Kind.FORBIDDEN
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_formats(opened: Call, form: str) -> None:
    text = "data:image/x;base64," + "\n".join(as_text(drawn(5, form=form)))
    assert opened("db_set", database_name="a", image=text, group_id="g")["info"]["add"] is True


@pytest.mark.parametrize(("form", "mode"), [("PNG", "L"), ("PNG", "RGBA"), ("JPEG", "CMYK")])
def test_colours(opened: Call, form: str, mode: str) -> None:
    text = as_text(drawn(5, form=form, mode=mode))
    assert opened("db_set", database_name="a", image=text, group_id="g")["info"]["add"] is True


def test_too_large_and_cut_off_pictures(opened: Call) -> None:
    assert (
        _refused(
            opened, "db_set", database_name="a", group_id="g", image=as_text(drawn(1, side=1200))
        )
        is Kind.BAD_PICTURE
    )
    cut = drawn(1, form="JPEG")[:-200]
    assert (
        _refused(opened, "db_set", database_name="a", group_id="g", image=as_text(cut))
        is Kind.BAD_PICTURE
    )
    assert opened("get")["db_dict"]["a"]["count"] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"group_id": None}, {"group_id": ""}, {"group_id": 1.5}, {"group_id": True},
        {"group_id": "a\x00"}, {"group_id": "\ud800"}, {"group_id": "x" * 257},
        {"group_id": "g", "intra_id": -1}, {"group_id": "g", "intra_id": "1"},
        {"group_id": "g", "intra_id": 2**60}, {"group_id": "g", "data": []},
        {"group_id": "g", "data": {"a": float("inf")}}, {"group_id": "g", "savename": "../x"},
    ],
)  # fmt: skip
def test_wrong_values_write_nothing(opened: Call, parameters: dict[str, Any]) -> None:
    kind = _refused(opened, "db_set", database_name="a", image=as_text(drawn(1)), **parameters)
    assert kind in (Kind.WRONG_VALUE, Kind.MISSING_PARAMETER)
    assert opened("get")["db_dict"]["a"]["count"] == 0


def test_a_reader_searches_and_writes_nothing(opened: Call) -> None:
    with pytest.raises(Problem) as caught:
        opened("db_clean", READER, database_name="a")
    assert caught.value.kind is Kind.FORBIDDEN
    with pytest.raises(Problem) as caught:
        opened("get", READER)
    assert caught.value.kind is Kind.NOT_INITIALISED
    opened("init", READER, backend="oss", root_path="oss://bucket/shop")
    assert list(opened("get", READER)["db_dict"]) == ["a"]


def test_clients_with_homes_do_not_see_each_other(opened: Call) -> None:
    other = Client("o", "write", "other")
    opened("init", other, backend="oss", root_path="oss://bucket/shop/")
    assert opened("get", other)["db_dict"] == {}
    opened("add", other, database_name="mine")
    assert list(opened("get")["db_dict"]) == ["a"]
    with pytest.raises(Problem):
        opened("db_search", other, database_name="mine", image="oss://../bucket/x.png")


def test_public_mode_has_five_databases(call: Call) -> None:
    key = call("init", uid="123")["uid_key"]
    for number in range(5):
        call("add", database_name=f"d{number}")
    assert _refused(call, "add", database_name="d5") is Kind.QUOTA
    call("init", uid_key=key)
    assert len(call("get")["db_dict"]) == 5


def test_names_that_nobody_knows_are_told(opened: Call) -> None:
    answer = opened("db_search", database_name="a", image=as_text(drawn(1)), search_top=3)
    assert answer["ignored"] == ["search_top"]
    assert _refused(opened, "db_serch", database_name="a") is Kind.UNKNOWN_FUNCTION
    assert _refused(opened, "init", backend="tape", root_path="oss://a") is Kind.NO_BACKEND


def test_a_list_of_pictures(opened: Call, service: Service) -> None:
    folder = service.folders.root / "bucket" / "p"
    folder.mkdir(parents=True)
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(drawn(seed))
    listed = as_text(b"0.png g\n1.png g\n\nmissing.png g\n2.png h\n")
    told = opened("set", database_name="a") and opened(
        "db_set", database_name="a", filelist=listed, image_root="oss://bucket/p/"
    )
    assert told["info"]["add"] == 3
    assert [one["line"] for one in told["info"]["failed"]] == [4]


@pytest.mark.parametrize(
    ("body", "function", "parameters"),
    [
        ({"function_name": "query"}, "get", {}),
        (
            {"function_name": "search", "db_name": "a", "function_params": {"x": 1}},
            "db_search",
            {"database_name": "a", "x": 1},
        ),
        (
            {"input": {"url": "u", "function_name": "db_set", "function_params": {"y": 2}}},
            "db_set",
            {"image": "u", "y": 2},
        ),
        ({"imagea": "1", "imageb": "2"}, "match", {"imagea": "1", "imageb": "2"}),
    ],
)
def test_older_envelopes(body: dict[str, Any], function: str, parameters: dict[str, Any]) -> None:
    call = read_call(body)
    assert (call.function, dict(call.parameters)) == (function, parameters)


@pytest.mark.parametrize(
    "body", [[], None, 1, {}, {"function_name": 1}, {"function_name": "a", "function_params": []}]
)
def test_no_envelope(body: object) -> None:
    with pytest.raises(Problem):
        read_call(body)


def test_the_match_service_knows_one_function(service: Service) -> None:
    functions = Functions(service, Sessions(service), "img_match_001", "match")
    with pytest.raises(Problem, match="no function"):
        functions.call(read_call({"function_name": "init"}), WRITER)


def test_a_database_of_another_model_is_told(
    make_service: Callable[..., Service], tmp_path: Path
) -> None:
    service = make_service(tmp_path / "other", Quota(1, 1))
    databases = service.folders.at(service.folders.root / "x")
    assert databases.quota == Quota(1, 1)
