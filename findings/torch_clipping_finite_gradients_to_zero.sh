#!/usr/bin/env bash
# Version: torch 2.13.0 (a large download)
# Expected: `clip_grad_norm_(parameters, 1.0)` leaves gradients that are all finite with their direction and a norm of
#   at most 1; only gradients that are not finite are a special case, for which there is `error_if_nonfinite`.
# Instead: where gradients are finite but their squares are not in float32 (entries from about 1.8e19), the norm is
#   infinite, every gradient is multiplied by 1 / inf, and all of them, also those of the other parameters, become 0. No
#   error and no warning; the loss stands still. A layer normalisation of a vector of zeros, such as an embedding that
#   starts at zero, multiplies gradients by 1 / sqrt(eps): a few of them in a row are enough. Take the norm in float64
#   (`clip_grads_with_norm_`), or look at the norm that is returned.
# Output:
#   largest gradient 2.1e+29, all finite; norm returned inf
#   after clipping: largest gradient 0.0, also of the layer with ordinary gradients
#   clipped by the norm in float64: norm 1.0
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.1
"$place/bin/python" -I - <<'END'
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_


class Small(nn.Module):
    """An embedding that starts at zero, normalised several times; beside it an ordinary layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Parameter(torch.zeros(1, 8))
        self.norms = nn.Sequential(*(nn.LayerNorm(8, eps=1e-12) for _ in range(5)))
        self.head = nn.Linear(8, 3)

    def forward(self):
        return self.head(self.norms(self.embedding))


def backward():
    model = Small()
    nn.functional.cross_entropy(model(), torch.tensor([1])).backward()
    return model


def largest(model):
    return max(float(part.grad.abs().max()) for part in model.parameters())


model = backward()
before, finite = largest(model), all(bool(part.grad.isfinite().all()) for part in model.parameters())
norm = float(clip_grad_norm_(model.parameters(), 1.0))
after, of_head = largest(model), float(model.head.bias.grad.abs().max())
print(f"largest gradient {before:.1e}, {'all finite' if finite else 'not finite'}; norm returned {norm}")
print(f"after clipping: largest gradient {after}, also of the layer with ordinary gradients")
again = backward()
wide = torch.stack([part.grad.double().norm() for part in again.parameters()]).norm()
clip_grads_with_norm_(again.parameters(), 1.0, wide)
length = float(torch.stack([part.grad.double().norm() for part in again.parameters()]).norm())
print(f"clipped by the norm in float64: norm {length:.1f}")
assert finite and before > 1.8e19, "the gradient is not what this is about"
assert norm == float("inf") and after == of_head == 0.0 and abs(length - 1) < 1e-3, "the behaviour has changed"
END
