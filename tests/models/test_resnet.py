import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.models.backbones.resnet import ResNet
from toolkit.models.cost import measure_cost
from toolkit.registry import BACKBONES

# Parameters with the classifier of 1000 classes and 10^9 multiply-adds at 224 x 224: torchvision's
# documentation of its weights; for the last two, counted on PaddleClas's networks.
PUBLISHED = {
    "ResNet50": (25557032, 4.09),
    "ResNet101": (44549160, 7.80),
    "ResNet152": (60192808, 11.51),
    "ResNet50_vd": (None, 4.3),
    "ResNet50_last_stage_stride1": (None, 6.2),
}


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("TinyResNet", {}, 64),
        ("TinyResNet vd", {"form": "vd"}, 64),
        ("TinyResNet of the recipes", {"stem_act": None, "stride_list": [2, 2, 2, 2, 1]}, 64),
        (
            "TinyResNet vd, bare stem with stride 1",
            {"form": "vd", "stem_act": None, "max_pool": False, "stride_list": [1, 1, 2, 2, 2]},
            64,
        ),
        ("TinyResNet vd, odd maps", {"form": "vd"}, 72),
    ],
)
def test_equals_paddleclas_on_the_same_weights(name, options, side, distance_to_golden):
    assert distance_to_golden(ResNet("smallest", **options), name, side=side) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_size_is_the_published_one(name):
    parameters, billions = PUBLISHED[name]
    cost = measure_cost(BACKBONES.build(name, class_num=1000), (224, 224))
    assert parameters is None or cost.parameters == parameters
    assert cost.multiply_adds / 1e9 == pytest.approx(billions, abs=0.05)


def test_the_maximum_is_pooled_instead_of_the_average():
    backbone = ResNet("smallest", pooling="max")
    backbone.eval()
    last = paddle.to_tensor([[[[1.0, 2.0], [3.0, 10.0]]]])
    assert backbone.feature(last).tolist() == [[10.0]]
    assert ResNet("smallest").feature(last).tolist() == [[4.0]]
    assert type(BACKBONES.build("TinyResNet", pooling="max").avg_pool) is type(backbone.avg_pool)


@pytest.mark.parametrize(
    ("stride_list", "strides"),
    [(None, (4, 8, 16, 32)), ([2, 2, 2, 2, 1], (4, 8, 16, 16)), ([1, 1, 2, 2, 2], (1, 2, 4, 8))],
)
@pytest.mark.parametrize("max_pool", [False, True])
@pytest.mark.parametrize("form", ["plain", "vd", "slim"])
def test_strides_are_the_promised_ones_with_and_without_pooling(
    stride_list, strides, max_pool, form
):
    backbone = ResNet("smallest", form=form, max_pool=max_pool, stride_list=stride_list)
    backbone.eval()
    if form == "slim":
        # Each stage has the next one's stride as well.
        strides = (*strides[1:], strides[-1])
    assert backbone.map_strides == strides
    maps = backbone.maps(paddle.randn([1, 3, 64, 64]))
    assert [64 // one.shape[2] for one in maps] == list(strides)


def test_the_last_stage_with_stride_1_is_a_name_of_its_own():
    names = {option.name for option in BACKBONES.options("ResNet50_last_stage_stride1")}
    assert "stride_list" not in names
    assert BACKBONES.get("ResNet50_last_stage_stride1").keywords["stride_list"] == [2, 2, 2, 2, 1]


def test_a_stride_list_of_another_length_is_refused():
    with pytest.raises(ConfigError, match=r"ResNet50_vd.*stride_list needs 5 numbers.*got 2"):
        BACKBONES.build("ResNet50_vd", stride_list=[2, 2])
