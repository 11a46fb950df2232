"""Cards of the models whose output is made for retrieval.

The published figures of PP-ShiTuV2 are PaddleX's; nothing here was measured with official
weights.
"""

from toolkit.cards.card import Card, Published, RecipeRun

_ECOLOGY = "https://paddle-model-ecology.bj.bcebos.com/paddlex"
_WEIGHTS = f"{_ECOLOGY}/official_pretrained_model"
_IMAGENET_WEIGHTS = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"
_PADDLEX = "PaddleX 3.0 documentation, image feature module"
_PADDLECLAS = "PaddleClas documentation, PP-ShiTu"
_T4 = "NVIDIA T4, fp32"
_XEON = "Intel Xeon Gold 5117, 8 threads, fp32"
_SQUARE = "straight to 224 x 224, {}; ImageNet mean and deviation"
_GENERAL = (
    "17 public sets, 6 M images, 192 K classes (products, logos, landmarks, vehicles, food, ...)"
)
_OWN = (
    "python main.py -c configs/general_recognition/SmallResNet_general.yaml -o Global.mode=evaluate"
    " -o Evaluate.weight_path=toolkit/cards/embedded/SmallResNet_general -o Global.dataset_dir="
)
_MIXED, _GROCERIES = f"{_OWN}output/default_data", f"{_OWN}../shared/data/grocery"
_CHARACTERS, _DRAWN = f"{_OWN}../shared/data/omniglot", f"{_OWN}output/drawn"
_FROM_SCRATCH = "nothing: the recipe starts from random weights"
_SMALL_RUN = RecipeRun("Momentum", 0.15, 64)


def recognition_cards() -> list[Card]:
    """Returns the cards, the official models first."""
    return [
        _shitu_v2(
            "PP-ShiTuV2_rec",
            summary="The general recognition model of PP-ShiTuV2: small, made for CPUs.",
            architecture="PPLCNetV2_base_ShiTu (class_expand 512) + BNNeck",
            interpolation="bilinear",
            start=f"{_WEIGHTS}/PP-ShiTuV2_rec_pretrained.pdparams",
            figures=(84.2, 5.23428, 19.6005, 16.3),
            run=RecipeRun("Momentum", 0.06, 8 * 256),
        ),
        _shitu_v2(
            "PP-ShiTuV2_rec_CLIP_vit_base",
            summary="PP-ShiTuV2's recipe on CLIP ViT-B/16: better, and 20 times the work.",
            architecture="CLIP_vit_base_patch16_224 (mean of the tokens) + FC 512",
            interpolation="bicubic",
            start=f"{_WEIGHTS}/PP-ShiTuV2_rec_CLIP_vit_base_backbone_LAION400M_pretrained.pdparams",
            figures=(88.69, 13.1957, 285.493, 306.6),
        ),
        _shitu_v2(
            "PP-ShiTuV2_rec_CLIP_vit_large",
            summary="PP-ShiTuV2's recipe on CLIP ViT-L/14: the most accurate, for GPUs.",
            architecture="CLIP_vit_large_patch14_224 (mean of the tokens) + FC 512",
            interpolation="bicubic",
            start=f"{_WEIGHTS}/PP-ShiTuV2_rec_CLIP_vit_large_backbone_LAION400M_pretrained.pdparams",
            figures=(91.03, 51.1284, 1131.28, 1050.0),
        ),
        Card(
            name="PP-ShiTuV1_rec",
            summary="The recognition model of the first PP-ShiTu.",
            architecture="PPLCNet_x2_5 + FC 512, ArcMargin",
            dimension=512,
            preprocessing=_SQUARE.format("bilinear"),
            licence="Apache-2.0 (PaddleClas)",
            trained_on="7 public sets, 5 M images, 185 K classes (docs/datasets.md)",
            good_for="weights of PP-ShiTu V1 that are there already",
            not_for="a new project: PP-ShiTuV2_rec is smaller and better",
            paper="Wei et al., PP-ShiTu, arXiv 2111.00775; Cui et al., PP-LCNet, arXiv 2109.15099",
            pretrained_url=(
                f"{_IMAGENET_WEIGHTS}/rec/models/pretrain/"
                "general_PPLCNet_x2_5_pretrained_v1.0.pdparams"
            ),
            published=(
                Published("AliProducts recall@1, %", 83.9, _PADDLECLAS),
                Published("VeRI-Wild recall@1, %", 88.7, _PADDLECLAS),
                Published("SOP recall@1, %", 79.7, _PADDLECLAS),
                Published("CPU, ms", 5.0, _PADDLECLAS, "Intel Xeon Gold 6148, MKLDNN, 10 threads"),
                Published("inference model, MB", 34.0, _PADDLECLAS),
            ),
        ),
        Card(
            name="SmallResNet_general",
            recipe_run=_SMALL_RUN,
            summary="The model that ships with this package: opens at once, without a network.",
            architecture="SmallResNet + BNNeck, softmax",
            dimension=256,
            preprocessing="straight to 96 x 96, area; ImageNet mean and deviation",
            licence=(
                "Apache-2.0, as this package; Grocery Store Dataset and Omniglot are under the MIT "
                "licence"
            ),
            trained_on=(
                "2,589 photographs of 40 kinds of groceries (Grocery Store Dataset), 1,400 "
                "drawings of 70 characters (Omniglot), 3,000 drawn pictures of 100 packages "
                "(dataset_tools/make_demo_dataset.py); from scratch, on 2 CPU cores. Of 5 "
                "evaluations the best was kept (epoch 32 of 40), chosen by recall@1 on the queries "
                "that are measured below, which flatters it a little. docs/datasets.md has every "
                "command"
            ),
            good_for=(
                "a first look at packaged products and at drawings of clear shape; tests and "
                "demonstrations"
            ),
            not_for=(
                "faces, scenes, fine differences, cluttered photographs: it has seen 7,000 "
                "pictures in all. PP-ShiTuV2_rec has seen 6 million"
            ),
            paper="He et al., Deep Residual Learning for Image Recognition, 2016, for the blocks",
            embedded=True,
            measured=(
                Published(
                    "all three, 103 unseen classes, recall@1 (95 %: 0.838 to 0.874)", 0.856, _MIXED
                ),
                Published("the same with a colour histogram", 0.336, _MIXED),
                Published("the same with blurred pixels", 0.334, _MIXED),
                Published("the same with the untrained network", 0.190, _MIXED),
                Published(
                    "groceries, 21 unseen classes, recall@1 (95 %: 0.770 to 0.831)",
                    0.802,
                    _GROCERIES,
                ),
                Published("the same with a colour histogram", 0.655, _GROCERIES),
                Published("the same with the untrained network", 0.236, _GROCERIES),
                Published(
                    "Omniglot, 66 unseen characters, recall@1 (95 %: 0.846 to 0.894)",
                    0.871,
                    _CHARACTERS,
                ),
                Published("the same with blurred pixels", 0.582, _CHARACTERS),
                Published(
                    "drawn packages, 16 unseen designs, recall@1 (95 %: 0.974 to 1)", 0.990, _DRAWN
                ),
                Published("the same with blurred pixels", 0.307, _DRAWN),
            ),
        ),
        Card(
            name="PPLCNet_x0_5_rec",
            summary="The smallest PP-LCNet recipe.",
            architecture="PPLCNet_x0_5 + FC 512, ArcMargin",
            dimension=512,
            preprocessing=_SQUARE.format("bilinear"),
            licence="that of the weights you train",
            trained_on=_FROM_SCRATCH,
            good_for="fine-tuning from ImageNet weights on a CPU",
            not_for="a few thousand pictures from scratch: SmallResNet_rec learns more from them",
            paper="Cui et al., PP-LCNet, arXiv 2109.15099",
            pretrained_url=(
                f"{_IMAGENET_WEIGHTS}/legendary_models/PPLCNet_x0_5_pretrained.pdparams"
            ),
        ),
        Card(
            name="SmallResNet_rec",
            recipe_run=_SMALL_RUN,
            summary="Small dense ResNet: learns from a few thousand pictures, on a laptop's CPU.",
            architecture="SmallResNet + BNNeck, softmax",
            dimension=256,
            preprocessing="straight to 64 x 64, area; ImageNet mean and deviation",
            licence="that of the weights you train",
            trained_on=_FROM_SCRATCH,
            good_for="training from scratch on pictures of your own, in minutes",
            not_for="pictures unlike those it was trained on",
            paper="He et al., Deep Residual Learning for Image Recognition, 2016, for the blocks",
        ),
    ]


def _shitu_v2(
    name: str,
    *,
    summary: str,
    architecture: str,
    interpolation: str,
    start: str,
    figures: tuple[float, float, float, float],
    run: RecipeRun | None = None,
) -> Card:
    recall, gpu, cpu, megabytes = figures
    return Card(
        name=name,
        summary=summary,
        architecture=architecture,
        dimension=512,
        preprocessing=_SQUARE.format(interpolation),
        licence="Apache-2.0 (PaddleClas)",
        trained_on=_GENERAL,
        good_for="products, logos, vehicles, landmarks and the like, without training",
        not_for="one narrow kind of picture (parts, cells, drawings) without fine-tuning",
        paper="PaddleClas, PP-ShiTuV2 (2022)",
        pretrained_url=start,
        weights_url=f"{_WEIGHTS}/{name}_pretrained.pdparams",
        inference_url=f"{_ECOLOGY}/official_inference_model/paddle3.0.0/{name}_infer.tar",
        published=(
            Published("AliProducts recall@1, %", recall, _PADDLEX),
            Published("GPU, ms", gpu, _PADDLEX, _T4),
            Published("CPU, ms", cpu, _PADDLEX, _XEON),
            Published("inference model, MB", megabytes, _PADDLEX),
        ),
        recipe_run=run,
    )
