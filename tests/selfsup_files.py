"""Tiny configurations of training without labels."""

from toolkit.config.load import load_config

TINY = """
Global: {{model: tiny_selfsup, dataset_dir: {dataset}, output: {output}, device: cpu}}
CheckDataset: {{num_workers: 0}}
Train: {{epochs_iters: 2, batch_size: 8, learning_rate: 0.01, log_interval: 1, visualdl: false}}
SelfSup:
  method: {method}
  views: {views}
Arch:
  Backbone: {{name: SmallResNet, widths: [4, 8], stage_strides: [2, 2]}}
Optimizer: {{name: Momentum, lr: {{name: Cosine}}}}
Data:
  num_workers: 0
  cache_mib: 0
  sampler: {{name: UniformSampler}}
  train_transforms: [ResizeImage: {{size: 40}}]
  eval_transforms: [ResizeImage: {{size: 32}}, NormalizeImage: {{}}, ToCHWImage: {{}}]
"""
VIEW = (
    "{{count: {count}, transforms: [RandCropImage: {{size: {size}}}, RandFlipImage: {{}}, "
    "NormalizeImage: {{}}, ToCHWImage: {{}}]}}"
)
METHODS = {
    "MoCo": "{name: MoCo, hidden: 12, width: 6, queue_size: 20}",
    "MoBY": "{name: MoBY, hidden: 12, width: 6, queue_size: 20, norm_groups: 2}",
    "SwAV": (
        "{name: SwAV, hidden: 12, width: 6, prototypes: 10, queue_size: 9, queue_from: 2, "
        "freeze_epochs: 1}"
    ),
    "DINO": (
        "{name: DINO, hidden: 12, bottleneck: 6, outputs: 20, warmup_teacher_epochs: 3, "
        "warmup_teacher_temperature: 0.08}"
    ),
}
PAIR = f"[{VIEW.format(count=2, size=32)}]"
CROPS = f"[{VIEW.format(count=2, size=32)}, {VIEW.format(count=3, size=16)}]"
VIEWS = {"MoCo": PAIR, "MoBY": PAIR, "SwAV": CROPS, "DINO": CROPS}


def make_config(folder, method, *overrides, dataset, output="output"):
    """Returns the configuration of a method; the train list is used without its labels."""
    file = folder / "recipe.yaml"
    text = TINY.format(
        dataset=dataset, output=folder / output, method=METHODS[method], views=VIEWS[method]
    )
    file.write_text(text, encoding="utf-8")
    return load_config(file, overrides)
