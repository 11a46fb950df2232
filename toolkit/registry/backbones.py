"""The backbones: PaddleClas's names where it has the network, and a tiny member of each family."""

from toolkit.registry.table import Registry

BACKBONES = Registry(
    "backbone",
    {
        **{
            f"PPLCNet_x{scale.replace('.', '_')}": (
                "toolkit.models.backbones.pplcnet:PPLCNet",
                {"scale": float(scale)},
            )
            for scale in ("0.25", "0.35", "0.5", "0.75", "1.0", "1.5", "2.0", "2.5")
        },
        "PPLCNet_x2_5_Tanh": (
            "toolkit.models.backbones.pplcnet:PPLCNet",
            {"scale": 2.5, "tanh": True},
        ),
        "TinyPPLCNet": (
            "toolkit.models.backbones.pplcnet:PPLCNet",
            {"scale": 0.25, "class_expand": 64},
        ),
        **{
            f"PPLCNetV2_{name}": (
                "toolkit.models.backbones.pplcnet_v2:PPLCNetV2",
                {"scale": scale, "depths": depths, "retrieval": name == "base_ShiTu"},
            )
            for name, scale, depths in (
                ("small", 0.75, [2, 2, 4, 2]),
                ("base", 1.0, [2, 2, 6, 2]),
                ("base_ShiTu", 1.0, [2, 2, 6, 2]),
                ("large", 1.25, [2, 2, 8, 2]),
            )
        },
        "TinyPPLCNetV2": (
            "toolkit.models.backbones.pplcnet_v2:PPLCNetV2",
            {"scale": 0.125, "depths": [1, 1, 2, 2], "class_expand": 64},
        ),
        "SmallResNet": "toolkit.models.backbones.small_resnet:SmallResNet",
        **{
            f"ResNet{size}{ending}": (
                "toolkit.models.backbones.resnet:ResNet",
                {"size": size, **form},
            )
            for size in ("18", "34", "50", "101", "152")
            for ending, form in (("", {}), ("_vd", {"form": "vd"}))
        },
        "ResNet50_last_stage_stride1": (
            "toolkit.models.backbones.resnet:ResNet",
            {"size": "50", "stride_list": [2, 2, 2, 2, 1]},
        ),
        "ResNet50_adaptive_max_pool2d": (
            "toolkit.models.backbones.resnet:ResNet",
            {"size": "50", "pooling": "max"},
        ),
        "TinyResNet": ("toolkit.models.backbones.resnet:ResNet", {"size": "smallest"}),
        **{
            f"ResNet{size}_v2": ("toolkit.models.backbones.resnet_v2:ResNetV2", {"size": size})
            for size in ("50", "101", "152")
        },
        "TinyResNet_v2": ("toolkit.models.backbones.resnet_v2:ResNetV2", {"size": "smallest"}),
        **{
            name: (
                "toolkit.models.backbones.mobilenet_v2:MobileNetV2",
                {"scale": scale},
            )
            for name, scale in (
                ("MobileNetV2_x0_25", 0.25),
                ("MobileNetV2_x0_5", 0.5),
                ("MobileNetV2_x0_75", 0.75),
                ("MobileNetV2", 1.0),
                ("MobileNetV2_x1_5", 1.5),
                ("MobileNetV2_x2_0", 2.0),
                ("TinyMobileNetV2", 0.125),
            )
        },
        **{
            name: ("toolkit.models.backbones.efficientnet:EfficientNet", {"size": size})
            for name, size in (
                *[(f"EfficientNetB{number}", f"b{number}") for number in range(8)],
                ("TinyEfficientNet", "smallest"),
            )
        },
        "AlexNet": ("toolkit.models.backbones.alexnet:AlexNet", {"size": "full"}),
        "TinyAlexNet": (
            "toolkit.models.backbones.alexnet:AlexNet",
            {"size": "smallest", "any_size": True},
        ),
        **{
            f"VGG{size}": ("toolkit.models.backbones.vgg:VGG", {"size": size})
            for size in ("11", "13", "16", "19")
        },
        "TinyVGG": ("toolkit.models.backbones.vgg:VGG", {"size": "smallest", "any_size": True}),
        "CLIP_vit_base_patch16_224": (
            "toolkit.models.backbones.clip_vit:CLIPViT",
            {"form": "base"},
        ),
        "CLIP_vit_large_patch14_224": (
            "toolkit.models.backbones.clip_vit:CLIPViT",
            {"form": "large"},
        ),
        "TinyCLIPViT": (
            "toolkit.models.backbones.clip_vit:CLIPViT",
            {"form": "smallest", "image_size": 64, "output_dim": 24},
        ),
        # PaddleClas has no ViT_tiny, and its ViT_small is a network of its own.
        **{
            name: ("toolkit.models.backbones.vit:ViT", {"size": size})
            for name, size in (
                ("ViT_tiny_patch16_224", "tiny"),
                ("ViT_small_patch16_224", "shallow"),
                ("ViT_base_patch16_224", "base"),
                ("DeiT_tiny_patch16_224", "tiny"),
                ("DeiT_small_patch16_224", "small"),
                ("DeiT_base_patch16_224", "base"),
            )
        },
        "TinyViT": ("toolkit.models.backbones.vit:ViT", {"size": "smallest", "image_size": 64}),
        "SwinTransformer_tiny_patch4_window7_224": (
            "toolkit.models.backbones.swin:SwinTransformer",
            {
                "embed_dim": 96,
                "depths": [2, 2, 6, 2],
                "num_heads": [3, 6, 12, 24],
                "window_size": 7,
            },
        ),
        "TinySwin": (
            "toolkit.models.backbones.swin:SwinTransformer",
            {"embed_dim": 16, "depths": [2, 2, 2], "num_heads": [1, 2, 4], "window_size": 7},
        ),
        "GoogLeNet": "toolkit.models.backbones.googlenet:GoogLeNet",
        "TinyGoogLeNet": ("toolkit.models.backbones.googlenet:GoogLeNet", {"scale": 0.125}),
        "InceptionV1": "toolkit.models.backbones.inception_v1:InceptionV1",
        "TinyInceptionV1": ("toolkit.models.backbones.inception_v1:InceptionV1", {"scale": 0.125}),
        "InceptionV2": "toolkit.models.backbones.inception_v2:InceptionV2",
        "TinyInceptionV2": (
            "toolkit.models.backbones.inception_v2:InceptionV2",
            {"scale": 0.0625},
        ),
        "InceptionV3": "toolkit.models.backbones.inception_v3:InceptionV3",
        "TinyInceptionV3": (
            "toolkit.models.backbones.inception_v3:InceptionV3",
            {"scale": 0.0625},
        ),
        "InceptionV4": "toolkit.models.backbones.inception_v4:InceptionV4",
        "TinyInceptionV4": (
            "toolkit.models.backbones.inception_v4:InceptionV4",
            {"scale": 0.0625},
        ),
        "InceptionResNetV2": "toolkit.models.backbones.inception_resnet_v2:InceptionResNetV2",
        "TinyInceptionResNetV2": (
            "toolkit.models.backbones.inception_resnet_v2:InceptionResNetV2",
            {"scale": 0.0625, "depths": [2, 2, 1]},
        ),
    },
    prefixes={"paddleclas/": "toolkit.models.backbones.paddleclas_network:PaddleClasNetwork"},
)
