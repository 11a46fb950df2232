"""docs/endpoints.md: the named endpoints of six networks with their shapes, and everyone's."""

from collections.abc import Iterator

import paddle

from toolkit.build.endpoints import EndpointModel, endpoint_model
from toolkit.build.transforms import image_size
from toolkit.models.endpoint_tables import family_endpoints
from toolkit.models.endpoints import capture

NETWORKS = (
    "resnet_v1_50",
    "resnet_v1_101",
    "inception_v3",
    "inception_v4",
    "mobilenet_v2",
    "efficientnet_b0",
)
_INTRODUCTION = """\
# Endpoints

An endpoint is a named place of a network at which a feature can be read.

```python
from toolkit.build.endpoints import endpoint_names, open_endpoint

print(endpoint_names("resnet_v1_50"))
engine = open_endpoint("resnet_v1_50", "resnet_v1_50/block4", pool="avg")
rows = engine.run(images)  # float32 [b, 3, 224, 224], as engine.pipeline gives them
```

The model is the name of a card or of any backbone, a configuration, or the output folder of a
training run. `weights` is `auto` (published or trained), `random` (drawn from `seed`, nothing is
downloaded: for dry runs and checks of shapes), or a path. A name that the network has not is an
error with all that it has.

A map is given row by row: height, then width, then channel. A transformer's tokens are given token
by token. With `pool` one value a channel is left: `avg`, `max`, or `gem`, the generalised mean with
p = 3 of values of 1e-6 at least. Values are float32; those of classes and sizes are int32. Images
run one by one, so a row does not depend on its batch, to the last bit.

## The background

The weights know 1000 classes and count them from 0. The networks of EasyVision have a class 0
before them, the background, in the endpoints with 1001 columns. There column 0 is the background:
its logit is -1e4 and its probability 0. `class` and `predictions` are the column of the largest
probability, so they count from 1: class 1 is the first of the 1000. Endpoints with 1000 columns
have no background.

PaddleClas's Inceptions scale the pooled feature by 0.8 before their classifier. `AvgPool_1a`,
`PreLogits` and `PreLogitsFlatten` are read before that, for in TensorFlow nothing happens there.
Odd pixels of padding may stand on the other side than in TensorFlow; shapes are the same, and the
weights were trained with the padding that is here.

## Without Paddle

`toolkit.inference.endpoint_export.export_endpoint(engine, folder)` writes the part of the network
that the endpoint needs as `endpoint.onnx`, with `endpoint.json` beside it, and compares both with
the network first. `toolkit.inference.engines.endpoint_onnx.EndpointOnnxEngine(folder)` runs it with
ONNX Runtime, in as many threads as it is given. Exporting needs the extras `cpu` and `onnxruntime`.

## Every network

| name | shape | what it is |
|---|---|---|
| `original_image` | h, w, 3 | decoded pixels, RGB, 0 to 255; one picture at a time |
| `original_image_shape` | 3 | height, width, channels; int32 |
| `preprocessed_images` | h, w, 3 | the input of the network |
| `stage_1`, `stage_2`, ... | h, w, c | the maps of a backbone, the finest first |
| `last_map` | h, w, c | the last of them |
| `block_1`, `block_2`, ... | n, c | class token and patches after each block of ViT, DeiT, CLIP |
| `backbone` | d | the output of the backbone |
| `feature` | d | the neck's output, or the backbone's where there is no neck |

ResNet, Inception v3 and v4, MobileNetV2 and EfficientNet of any size have the names below too; in
those of a ResNet its own name stands in front: `ResNet50_vd/block4`.
"""


def endpoints_page() -> str:
    """Returns the page; it runs every network once."""
    lines = [_INTRODUCTION]
    for name in NETWORKS:
        lines += [f"## {name}", "", "| names | shape | values |", "|---|---|---|"]
        lines += [*_rows(endpoint_model(name)), ""]
    return "\n".join(lines)


def _rows(model: EndpointModel) -> Iterator[str]:
    """Yields a line for each shape, in the order in which an image meets them."""
    network = model.network(classifier=True)
    network.eval()
    size = image_size(model.config.Data.eval_transforms)
    endpoints = family_endpoints(network.backbone, model.name)
    with paddle.no_grad():
        values = capture(network, endpoints, paddle.zeros([1, 3, *size]))
    names: dict[tuple[str, str], list[str]] = {}
    for name, value in values.items():
        shape = ", ".join(map(str, value.shape[1:])) or "one number"
        names.setdefault((shape, str(value.numpy().dtype)), []).append(f"`{name}`")
    for (shape, kind), alike in names.items():
        yield f"| {', '.join(alike)} | {shape} | {kind} |"
