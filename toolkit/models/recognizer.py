"""The network of a recognition model: backbone, then neck, then head.

The state's prefixes ``backbone.``, ``neck.`` and ``head.`` are those of PaddleClas's RecModel, so
official weights load as they are. No output is normalised here: the exported graph gives the
neck's output, and whoever compares embeddings scales them to length 1.
"""

from paddle import Tensor, nn


class Recognizer(nn.Layer):
    """Backbone, neck and head as one network.

    Args:
        backbone: maps images [b, 3, h, w] to [b, d0]; has ``out_features``.
        neck: maps [b, d0] to the embedding [b, d]; without one the backbone's output is it.
        head: maps embeddings and labels to logits [b, c]; only training needs it.

    Attributes:
        out_features: length of the embedding.
    """

    def __init__(
        self, backbone: nn.Layer, neck: nn.Layer | None = None, head: nn.Layer | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        last: nn.Layer = backbone if neck is None else neck
        self.out_features: int = last.out_features

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Computes everything that a loss may read.

        Args:
            images: float32 [b, 3, h, w].
            labels: class indices [b], int64, for heads with a margin.

        Returns:
            ``backbone``: the backbone's feature; ``features``: the embedding, not normalised;
            ``logits``, if there is a head.
        """
        raw = self.backbone(images)
        features = raw if self.neck is None else self.neck(raw)
        outputs = {"backbone": raw, "features": features}
        if self.head is not None:
            outputs["logits"] = self.head(features, labels)
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """Returns the embeddings [b, out_features], not normalised, without running the head."""
        raw: Tensor = self.backbone(images)
        if self.neck is None:
            return raw
        features: Tensor = self.neck(raw)
        return features

    def re_parameterize(self) -> None:
        """Fuses in place what the backbone can fuse for deployment; the embeddings stay.

        A fused network cannot be trained any more, so a run that goes on fuses a copy.
        """
        fuse = getattr(self.backbone, "re_parameterize", None)
        if fuse is not None:
            fuse()
