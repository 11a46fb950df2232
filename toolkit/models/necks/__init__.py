"""Necks: what turns what the backbone gives into the embedding.

The embedding of a recognition model is its neck's output, or the backbone's feature when it has no
neck. Parameter names are PaddleClas's where it has the neck.
"""

from toolkit.models.necks.bn_neck import BNNeck
from toolkit.models.necks.fc import FC
from toolkit.models.necks.fpn import FPN
from toolkit.models.necks.gem import GeM
from toolkit.models.necks.neck import Neck
from toolkit.models.necks.vehicle_neck import VehicleNeck

__all__ = ["FC", "FPN", "BNNeck", "GeM", "Neck", "VehicleNeck"]
