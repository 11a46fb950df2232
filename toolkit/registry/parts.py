"""The other parts that a configuration names, one table a kind."""

from toolkit.registry.table import Registry

NECKS = Registry(
    "neck",
    {
        "FC": "toolkit.models.necks.fc:FC",
        "BNNeck": "toolkit.models.necks.bn_neck:BNNeck",
        "VehicleNeck": "toolkit.models.necks.vehicle_neck:VehicleNeck",
        "GeM": "toolkit.models.necks.gem:GeM",
        "FPN": "toolkit.models.necks.fpn:FPN",
    },
    handed_in=["in_features", "in_channels"],
)

HEADS = Registry(
    "head",
    {
        "FC": "toolkit.models.heads.fc:FC",
        "ArcMargin": "toolkit.models.heads.arc_margin:ArcMargin",
        "SubCenterArcMargin": "toolkit.models.heads.arc_margin:SubCenterArcMargin",
        "CosMargin": "toolkit.models.heads.cos_margin:CosMargin",
        "CircleMargin": "toolkit.models.heads.circle_margin:CircleMargin",
        "AdaMargin": "toolkit.models.heads.ada_margin:AdaMargin",
    },
    handed_in=["in_features", "num_classes"],
)

LOSSES = Registry(
    "loss",
    {
        "CELoss": "toolkit.losses.cross_entropy:CELoss",
        "CenterLoss": "toolkit.losses.class_vectors:CenterLoss",
        "CircleLoss": "toolkit.losses.pair_similarity:CircleLoss",
        "ContrastiveLoss": "toolkit.losses.contrastive:ContrastiveLoss",
        "ContrastiveLoss_XBM": "toolkit.losses.xbm:ContrastiveLoss_XBM",
        "DCHLoss": "toolkit.losses.dch:DCHLoss",
        "DMLLoss": "toolkit.losses.distillation:DMLLoss",
        "DSHSDLoss": "toolkit.losses.dshsd:DSHSDLoss",
        "EmlLoss": "toolkit.losses.eml:EmlLoss",
        "KLDivLoss": "toolkit.losses.distillation:KLDivLoss",
        "LCDSHLoss": "toolkit.losses.lcdsh:LCDSHLoss",
        "MSMLoss": "toolkit.losses.triplet:MSMLoss",
        "MultiSimilarityLoss": "toolkit.losses.pair_similarity:MultiSimilarityLoss",
        "NpairsLoss": "toolkit.losses.npairs:NpairsLoss",
        "PairwiseCosface": "toolkit.losses.pair_similarity:PairwiseCosface",
        "ProxyAnchorLoss": "toolkit.losses.class_vectors:ProxyAnchorLoss",
        "ProxyNCALoss": "toolkit.losses.class_vectors:ProxyNCALoss",
        "RKDLoss": "toolkit.losses.relational:RKDLoss",
        "SupConLoss": "toolkit.losses.supervised_contrastive:SupConLoss",
        "TriHardLoss": "toolkit.losses.triplet:TriHardLoss",
        "TripletAngularMarginLoss": "toolkit.losses.triplet_angular:TripletAngularMarginLoss",
        "TripletAngularMarginLoss_XBM": "toolkit.losses.xbm:TripletAngularMarginLoss_XBM",
        "TripletLossV2": "toolkit.losses.triplet:TripletLossV2",
    },
    handed_in=["num_classes", "in_features"],
)

TRANSFORMS = Registry(
    "transform",
    {
        "ResizeImage": "toolkit.data.transforms.geometry:ResizeImage",
        "CropImage": "toolkit.data.transforms.geometry:CropImage",
        "RandCropImage": "toolkit.data.transforms.geometry:RandCropImage",
        "RandFlipImage": "toolkit.data.transforms.geometry:RandFlipImage",
        "PadRandomCrop": "toolkit.data.transforms.geometry:PadRandomCrop",
        "RandomRotation": "toolkit.data.transforms.geometry:RandomRotation",
        "ColorJitter": "toolkit.data.transforms.colour:ColorJitter",
        "RandomGaussianBlur": "toolkit.data.transforms.blur:RandomGaussianBlur",
        "RandomGrayscale": "toolkit.data.transforms.colour:RandomGrayscale",
        "RandomSolarize": "toolkit.data.transforms.colour:RandomSolarize",
        "RandAugment": "toolkit.data.transforms.rand_augment:RandAugment",
        "NormalizeImage": "toolkit.data.transforms.tensor:NormalizeImage",
        "RandomErasing": "toolkit.data.transforms.tensor:RandomErasing",
        "ToCHWImage": "toolkit.data.transforms.tensor:ToCHWImage",
    },
)

SAMPLERS = Registry(
    "sampler",
    {
        "UniformSampler": "toolkit.data.samplers:UniformSampler",
        "PKSampler": "toolkit.data.samplers:PKSampler",
        "RandomIdentitySampler": "toolkit.data.samplers:RandomIdentitySampler",
    },
    handed_in=["labels", "batch_size", "seed"],
)

SCHEDULES = Registry(
    "learning rate schedule",
    {
        "Cosine": "toolkit.training.schedule:Cosine",
        "Step": "toolkit.training.schedule:Step",
        "Piecewise": "toolkit.training.schedule:Piecewise",
        "Polynomial": "toolkit.training.schedule:Polynomial",
        "Constant": "toolkit.training.schedule:Constant",
    },
    handed_in=["base_lr", "total_steps", "warmup_steps", "steps_per_epoch"],
)

OPTIMIZERS = Registry(
    "optimizer",
    {
        "Momentum": "toolkit.training.optimizers:Momentum",
        "Adam": "toolkit.training.optimizers:Adam",
        "AdamW": "toolkit.training.optimizers:AdamW",
        "LARS": "toolkit.training.lars:LARS",
    },
    handed_in=["parameters", "learning_rate"],
)

METHODS = Registry(
    "self-supervised method",
    {
        "DINO": "toolkit.selfsup.dino:DINO",
        "MoBY": "toolkit.selfsup.moby:MoBY",
        "MoCo": "toolkit.selfsup.moco:MoCo",
        "SwAV": "toolkit.selfsup.swav:SwAV",
    },
    handed_in=["network", "total_steps"],
)

TRACKERS = Registry(
    "tracker",
    {
        "visualdl": "toolkit.training.trackers.visualdl:VisualDL",
        "tensorboard": "toolkit.training.trackers.tensorboard:TensorBoard",
        "wandb": "toolkit.training.trackers.wandb:WandB",
        "mlflow": "toolkit.training.trackers.mlflow:MLflow",
    },
    handed_in=["run"],
)

CHECKS = Registry(
    "dataset check",
    {
        "lists": "toolkit.audit.lists:check_lists",
        "pixels": "toolkit.audit.pixels:check_pixels",
        "duplicates": "toolkit.audit.duplicates:check_duplicates",
        "near_duplicates": "toolkit.audit.near_duplicates:check_near_duplicates",
        "labels": "toolkit.audit.labels:check_labels",
    },
)

OPTIONS = Registry("options", {"CheckDataset.thresholds": "toolkit.audit.options:AuditOptions"})

CONVERTERS = Registry(
    "source dataset type",
    {
        "LabelMe": "toolkit.data.convert.labelme:convert_labelme",
        "ImageFolder": "toolkit.data.convert.image_folder:convert_image_folder",
        "CSV": "toolkit.data.convert.csv_table:convert_csv",
    },
    handed_in=["root", "seed"],
)

TASKS = Registry(
    "mode",
    {
        mode: f"toolkit.tasks.{mode}:run"
        for mode in (
            "check_dataset",
            "train",
            "evaluate",
            "compare",
            "export",
            "predict",
            "extract",
            "pack",
            "build_index",
            "search",
            "serve",
            "select_model",
        )
    },
)
