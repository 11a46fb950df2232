"""What every backbone is: images in, maps of several sizes on the way, one feature out.

A backbone is a feature extractor by default. With `class_num` it keeps the classifier that its
ImageNet weights have, and its output is the logits; what recognition calls its feature is then as
long as there are classes.
"""

from typing import ClassVar

from paddle import Tensor, nn

from toolkit.errors import ConfigError


class Backbone(nn.Layer):
    """Base of all backbones.

    Attributes:
        out_features: length of the feature, or of the logits with a classifier.
        map_channels: channels of each map of `maps`.
        map_strides: how many times smaller than the image each map is, in each direction.
        classifier: prefixes of the classifier's names in official weight files.
        ignored_weights: those of them that this network has no use for.
        computed_weights: prefixes of names in official files whose values are computed here.
        own_weights: prefixes of names that ImageNet weights of the family need not fit.
        smallest_side: height and width that an image needs at least, in pixels; smaller ones have
            no map left in the end.
    """

    classifier: ClassVar[tuple[str, ...]] = ()
    smallest_side: ClassVar[int] = 1

    out_features: int
    map_channels: tuple[int, ...]
    map_strides: tuple[int, ...]
    ignored_weights: tuple[str, ...] = ()
    computed_weights: tuple[str, ...] = ()
    own_weights: tuple[str, ...] = ()

    def maps(self, images: Tensor) -> list[Tensor]:
        """Maps images [b, 3, h, w] to the stages' outputs [b, c_i, h_i, w_i], finest first."""
        raise NotImplementedError

    def feature(self, last: Tensor) -> Tensor:
        """Maps the last of `maps` to the feature, or to logits: [b, out_features]."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to [b, out_features]."""
        return self.feature(self.maps(images)[-1])

    def _require_side(self, images: Tensor) -> None:
        """Refuses images below `smallest_side`, which Paddle answers with nan or a crash.

        Raises:
            ConfigError: an image is smaller.
        """
        # An exported graph may leave the size open: -1.
        known = [side for side in images.shape[2:] if side > 0]
        if known and min(known) < self.smallest_side:
            raise ConfigError(
                f"Images of {images.shape[2]} x {images.shape[3]} pixels are too small for "
                f"{type(self).__name__}: each side needs {self.smallest_side} or more. Enlarge the "
                "size of the transforms, or choose another backbone."
            )

    def _ends_with(self, width: int, class_num: int) -> None:
        """Settles the output: a feature of `width` values, or `class_num` logits if not 0."""
        self.out_features = class_num or width
        self.ignored_weights = () if class_num else self.classifier
