"""Pictures a little otherwise in each epoch: cut, turned round, brighter or paler."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Share of a picture's area that is left when it is cut, at least; how much wider or narrower it gets; how
# much brightness, contrast and saturation change.
LEAST_AREA, WIDER, COLOUR = 0.5, 1.2, 0.3
# Pixels are brought to about [-2, 2].
MIDDLE, SPREAD = 120.0, 60.0
# Of red, green and blue in how bright a pixel is seen (Rec. 601).
GREY = (0.299, 0.587, 0.114)


def normal(pixels: Tensor) -> Tensor:
    """Pictures (B, S, S, 3) uint8 as the network reads them, (B, 3, S, S) float32."""
    return (pixels.permute(0, 3, 1, 2).float() - MIDDLE) / SPREAD


def otherwise(x: Tensor, mirror: bool = True) -> Tensor:
    """Pictures (B, 3, S, S) with a part of each cut out and scaled, every other one mirrored, and colours."""
    many = len(x)
    area = LEAST_AREA + (1 - LEAST_AREA) * torch.rand(many)
    aspect = WIDER ** (2 * torch.rand(many) - 1)
    # Half the cut's sides, in parts of the picture's.
    wide, high = ((area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1))
    theta = x.new_zeros(many, 2, 3)
    theta[:, 0, 0] = wide * (1 - 2 * (mirror * torch.rand(many) > 0.5).float())
    theta[:, 1, 1] = high
    theta[:, 0, 2] = (2 * torch.rand(many) - 1) * (1 - wide)
    theta[:, 1, 2] = (2 * torch.rand(many) - 1) * (1 - high)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return _coloured(F.grid_sample(x, grid, padding_mode="border", align_corners=False))


def _coloured(x: Tensor) -> Tensor:
    bright, contrast, colour = (COLOUR * (2 * torch.rand(3, len(x), 1, 1, 1) - 1)).unbind()
    mean = x.mean((1, 2, 3), keepdim=True)
    grey = (x * x.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
    return mean + (grey + (x - grey) * (1 + colour) - mean) * (1 + contrast) + bright
