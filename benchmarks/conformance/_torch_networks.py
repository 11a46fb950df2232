"""ResNet-50 with torchvision's names and DeiT-S with timm's, written out in plain PyTorch.

Both packages come with a build of PyTorch of their own; the networks are short enough to say.
Source: He et al., 2015, with the stride in the 3x3 convolution as in torchvision; Touvron et al.,
2021 (DeiT-S: 12 blocks, 384 wide, 6 heads, patches of 16).
"""

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a short cut."""

    def __init__(self, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(wide, narrow, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, 4 * narrow, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * narrow)
        self.downsample = None
        if wide != 4 * narrow:
            short = nn.Conv2d(wide, 4 * narrow, 1, stride, bias=False)
            self.downsample = nn.Sequential(short, nn.BatchNorm2d(4 * narrow))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, wide, h, w] to [b, 4 narrow, h / stride, w / stride]."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(y)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """Images to the pooled last map [b, 2048]; `fc` is not run."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        wide = 64
        for stage, (count, narrow) in enumerate(
            zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True)
        ):
            blocks = []
            for block in range(count):
                blocks.append(Bottleneck(wide, narrow, 2 if stage and not block else 1))
                wide = 4 * narrow
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(wide, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, 3, h, w] to [b, 2048]."""
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in (1, 2, 3, 4):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean((2, 3))


class Attention(nn.Module):
    """Self-attention with one projection to queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, n, width] to the same."""
        b, n, width = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (qkv[0] @ qkv[1].transpose(-2, -1)) * (width // self.heads) ** -0.5
        mixed: Tensor = self.proj(
            (weights.softmax(-1) @ qkv[2]).transpose(1, 2).reshape(b, n, width)
        )
        return mixed


class Mlp(nn.Module):
    """Two layers with GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, n, width] to the same."""
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """Attention and perceptron, each behind a norm and beside a short cut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, n, width] to the same."""
        x = x + self.attn(self.norm1(x))
        mixed: Tensor = x + self.mlp(self.norm2(x))
        return mixed


class PatchEmbed(nn.Module):
    """Patches of 16 pixels to vectors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, 3, h, w] to [b, n, width]."""
        patches: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return patches


class DeiTSmall(nn.Module):
    """Images of 224 pixels to the class token [b, 384]; `head` is not run."""

    def __init__(self, width: int = 384, depth: int = 12, heads: int = 6) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        self.patch_embed = PatchEmbed(width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [b, 3, 224, 224] to [b, 384]."""
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)], 1)
        token: Tensor = self.norm(self.blocks(x + self.pos_embed))[:, 0]
        return token
