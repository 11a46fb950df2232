"""What all heads with a margin share: cosines of the embedding with one direction per class.

For very many classes the directions lie in a table, of which an update uses a sample; and the table
may be divided among processes. The margin is the same one.
"""

from typing import ClassVar

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import XavierNormal

from toolkit.distributed.shares import shares_of
from toolkit.distributed.softmax import ClassLogits
from toolkit.models.heads.class_table import ClassTable

# Below this squared length a vector has no direction worth the name.
_SMALLEST_SQUARE = 1e-12


class CosineHead(nn.Layer):
    """Cosine classifier; a subclass says how training makes the true class harder.

    Args:
        in_features: length of the embedding.
        num_classes: number of training classes.
        scale: factor on all logits in training; what a softmax of cosines can reach depends on it.
        columns: learned directions; None for one per class.
        sample_rate: share of the classes that an update uses, (0, 1].
        sharded: each process holds its part of the classes.

    Attributes:
        weight_name: name of the directions [in_features, columns] in the state.
        table: the directions as rows, where they are sampled or divided; else None.

    Raises:
        ValueError: the rate is 0.
    """

    weight_name: ClassVar[str] = "weight"

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        scale: float,
        *,
        columns: int | None = None,
        sample_rate: float = 1.0,
        sharded: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes, self.scale = num_classes, scale
        self.table: ClassTable | None = None
        if not 0 < sample_rate <= 1:
            raise ValueError(f"sample_rate is a share above 0, up to 1; got {sample_rate}.")
        if sample_rate < 1 or sharded:
            self.table = ClassTable(in_features, num_classes, sample_rate, sharded=sharded)
            return
        directions = self.create_parameter(
            [in_features, columns or num_classes], default_initializer=XavierNormal()
        )
        self.add_parameter(self.weight_name, directions)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor | ClassLogits:
        """Maps [b, in_features] to [b, num_classes].

        Args:
            features: embeddings [b, in_features]; what counts is their direction.
            labels: true classes [b], int64.

        Returns:
            Scaled logits with the margin, with a table those of the chosen classes; plain cosines,
            unscaled, when not training or without labels.
        """
        if self.table is not None and self.training and labels is not None:
            return self._of_chosen(self.table, features, labels)
        cosine = self.cosines(features)
        if labels is None or not self.training:
            return cosine
        one_hot = functional.one_hot(labels, self.num_classes).astype(cosine.dtype)
        return self.scale * self.harder(cosine, one_hot, features)

    def cosines(self, features: Tensor) -> Tensor:
        """Returns the cosine of each embedding with each class [b, num_classes]."""
        if self.table is not None:
            if len(self.table.rows) < self.num_classes:
                raise ValueError("a head that is divided among processes is only for training.")
            return cosines_with_rows(features, self.table.rows)
        return unit(features, axis=1) @ unit(getattr(self, self.weight_name), axis=0)

    def _of_chosen(self, table: ClassTable, features: Tensor, labels: Tensor) -> ClassLogits:
        """Returns the logits of the classes that the table chooses for this update."""
        if table.sharded:
            shares = shares_of(labels.shape[0])
            features, labels = shares.gather(features), shares.gather(labels)
        places = table.choose(labels)
        cosine = cosines_with_rows(features, table.active)
        own = places.unsqueeze(1) == paddle.arange(table.num_chosen).unsqueeze(0)
        logits = self.scale * self.harder(cosine, own.astype(cosine.dtype), features)
        return ClassLogits(logits, places, table.sharded)

    def harder(self, cosine: Tensor, one_hot: Tensor, features: Tensor) -> Tensor:
        """Applies the margin.

        Args:
            cosine: [b, num_classes].
            one_hot: 1 at the true class, else 0 [b, num_classes].
            features: the embeddings as they came, for margins that depend on their length.

        Returns:
            Logits before scaling [b, num_classes].
        """
        raise NotImplementedError


def cosines_with_rows(features: Tensor, rows: Tensor) -> Tensor:
    """Returns the cosines [b, c] of [b, d] and [c, d], for large c.

    The products are divided by the lengths of the rows, and not the rows themselves: one large
    array in place of several.
    """
    products = unit(features, axis=1) @ rows.T
    square = (rows * rows).sum(1)
    cosines: Tensor = (
        products / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )
    return cosines


def unit(vectors: Tensor, axis: int) -> Tensor:
    """Scales vectors to length 1; one of (nearly) zero length stays, with a harmless gradient."""
    square = (vectors * vectors).sum(axis, keepdim=True)
    return (
        vectors / paddle.where(square > _SMALLEST_SQUARE, square, paddle.ones_like(square)).sqrt()
    )
