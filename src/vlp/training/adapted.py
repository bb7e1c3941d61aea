"""Frozen layers with LoRA as few large products: the gradients are worked out here, so that little is kept for them.

PEFT computes an adapter beside its layer: two thin products, a scaled copy and a sum the size of the layer's output. Here
W + s B A is added up first (as many numbers as the layer has, not as there are tokens), and one product gives the output of all
layers that read the same rows. Norms, SiLU and their products are computed again in the backward pass instead of kept. Only for
float32: in bfloat16 a small adapter would be rounded away in the sum.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function


class Adapted:
    """Linear layers with a LoRA adapter each that read the same rows.

    Args:
        layers: of PEFT, their adapter being "default".
    """

    def __init__(self, *layers: Any) -> None:
        self.base = [layer.base_layer for layer in layers]
        self.scales = [float(layer.scaling["default"]) for layer in layers]
        self.sizes = [base.weight.shape[0] for base in self.base]
        pairs = [(layer.lora_A["default"].weight, layer.lora_B["default"].weight) for layer in layers]
        self.factors: list[Tensor] = [factor for pair in pairs for factor in pair]

    def weight(self, factors: Sequence[Tensor]) -> Tensor:
        """Return all layers' weights, adapters added: (outputs, inputs)."""
        whole = torch.cat([base.weight for base in self.base])
        for part, a, b, scale in zip(whole.split(self.sizes), factors[::2], factors[1::2], self.scales, strict=True):
            part.addmm_(b, a, alpha=scale)
        return whole

    def bias(self) -> Tensor | None:
        """Return all layers' biases, or None."""
        return None if self.base[0].bias is None else torch.cat([base.bias for base in self.base])

    def add_gradients(self, rows: Tensor, output: Tensor, factors: Sequence[Tensor], into: Sequence[Tensor]) -> None:
        """Add the gradients of the adapters.

        Args:
            rows: what the layers read (n, inputs).
            output: gradient of what they gave (n, outputs).
            factors: A and B of each layer.
            into: their gradients so far, that of B transposed: added up this way round it takes half the time.
        """
        scaled = [a * scale for a, scale in zip(factors[::2], self.scales, strict=True)]
        down = (rows @ torch.cat(scaled).T).split([a.shape[0] for a in scaled], 1)
        for i, part in enumerate(output.split(self.sizes, 1)):
            into[2 * i + 1].addmm_(down[i].T, part)
            into[2 * i].addmm_((part @ factors[2 * i + 1]).T, rows, alpha=self.scales[i])


def _zeros(factors: Sequence[Tensor]) -> list[Tensor]:
    """Return zeros for `Adapted.add_gradients`."""
    return [
        torch.zeros_like(factor.T if i % 2 else factor, memory_format=torch.contiguous_format)
        for i, factor in enumerate(factors)
    ]


def _turned_back(found: list[Tensor]) -> list[Tensor]:
    return [gradient.T.contiguous() if i % 2 else gradient for i, gradient in enumerate(found)]


def _scales(rows: Tensor, eps: float) -> Tensor:
    """Return what RMSNorm multiplies each row by: (n, 1)."""
    return torch.rsqrt(torch.linalg.vecdot(rows, rows).div_(rows.shape[-1]).add_(eps))[:, None]


def _norm_backward(output: Tensor, rows: Tensor, scales: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of a norm's rows; that of its output is used up."""
    unit, given = rows * scales, output.mul_(weight)
    along = torch.linalg.vecdot(given, unit).div_(rows.shape[-1])[:, None]
    return given.addcmul_(unit, along, value=-1).mul_(scales)


def _turn(heads: Tensor, cos: Tensor, sin: Tensor, back: bool = False) -> None:
    """Turn heads (..., heads, width) by their positions in place, or back; both halves of a width turn by the same angles."""
    half, sign = heads.shape[-1] // 2, -1.0 if back else 1.0
    first, second, cos, sin = heads[..., :half], heads[..., half:], cos[..., :half], sin[..., :half]
    before = first.clone()
    first.mul_(cos).addcmul_(second, sin, value=-sign)
    second.mul_(cos).addcmul_(before, sin, value=sign)


class Heads(Function):
    """Norm, projections and rotary positions: rows (..., width) to heads (..., heads, head width), one tensor a projection.

    Arguments: rows, norm, the `Adapted` projections, heads of each, how many heads of the first are turned, cos and sin
    (..., 1, head width), and the adapters' factors.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, norm: Any, linear: Adapted, heads: list[int], turned: int, *angles_and_factors: Tensor
    ) -> tuple[Tensor, ...]:
        cos, sin, *factors = angles_and_factors
        flat = rows.flatten(0, -2)
        scales = _scales(flat, norm.variance_epsilon)
        made = F.linear((flat * scales).mul_(norm.weight), linear.weight(factors), linear.bias())
        made = made.view(*rows.shape[:-1], sum(heads), -1)
        _turn(made[..., :turned, :], cos, sin)
        ctx.norm, ctx.linear, ctx.turned = norm, linear, turned
        ctx.save_for_backward(rows, scales, cos, sin, *factors)
        return made.split(heads, -2)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> Any:
        rows, scales, cos, sin, *factors = ctx.saved_tensors
        given, flat = torch.cat(outputs, -2), rows.flatten(0, -2)
        _turn(given[..., : ctx.turned, :], cos, sin, back=True)
        given, found, whole = given.view(len(flat), -1), _zeros(factors), None
        ctx.linear.add_gradients((flat * scales).mul_(ctx.norm.weight), given, factors, found)
        if ctx.needs_input_grad[0]:
            whole = _norm_backward(given @ ctx.linear.weight(factors), flat, scales, ctx.norm.weight).view_as(rows)
        return whole, None, None, None, None, None, None, *_turned_back(found)


class Added(Function):
    """Residual plus a projection of rows. Arguments: residual, rows, the `Adapted` projection, its factors."""

    @staticmethod
    def forward(ctx: Any, residual: Tensor, rows: Tensor, linear: Adapted, *factors: Tensor) -> Tensor:
        ctx.linear = linear
        ctx.save_for_backward(rows, *factors)
        made = F.linear(rows, linear.weight(factors), linear.bias())
        return made.add_(residual)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> Any:
        rows, *factors = ctx.saved_tensors
        given, flat, found = outputs[0].flatten(0, -2), rows.flatten(0, -2), _zeros(factors)
        ctx.linear.add_gradients(flat, given, factors, found)
        return outputs[0], (given @ ctx.linear.weight(factors)).view_as(rows), None, *_turned_back(found)


class GatedMlp(Function):
    """Residual plus the gated MLP of its norm. Arguments: rows, norm, gate and up, down, and the factors of the three.

    Computed for some rows at a time, so that what is as wide as the MLP fits into a processor's cache.
    """

    at_a_time = 512

    @staticmethod
    def forward(ctx: Any, rows: Tensor, norm: Any, wide: Adapted, down: Adapted, *factors: Tensor) -> Tensor:
        flat = rows.flatten(0, -2)
        scales, made = _scales(flat, norm.variance_epsilon), torch.empty_like(flat)
        kept, active = flat.new_empty(len(flat), sum(wide.sizes)), flat.new_empty(len(flat), wide.sizes[0])
        widen, narrow = wide.weight(factors[:4]), down.weight(factors[4:])
        biases = wide.bias(), down.bias()
        for some in _slices(len(flat), GatedMlp.at_a_time):
            normed = (flat[some] * scales[some]).mul_(norm.weight)
            if biases[0] is None:
                torch.mm(normed, widen.T, out=kept[some])
            else:
                torch.addmm(biases[0], normed, widen.T, out=kept[some])
            gate, up = kept[some].chunk(2, 1)
            torch.ops.aten.silu.out(gate, out=active[some])
            torch.add(flat[some], F.linear(active[some] * up, narrow, biases[1]), out=made[some])
        ctx.norm, ctx.wide, ctx.down = norm, wide, down
        ctx.save_for_backward(rows, scales, kept, active, *factors)
        return made.view_as(rows)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> Any:
        rows, scales, kept, silu, *factors = ctx.saved_tensors
        given, flat, found = outputs[0].flatten(0, -2), rows.flatten(0, -2), _zeros(factors)
        whole = torch.empty_like(flat)
        widen, narrow = ctx.wide.weight(factors[:4]), ctx.down.weight(factors[4:])
        for some in _slices(len(flat), GatedMlp.at_a_time):
            gate, up = kept[some].chunk(2, 1)
            active, inner = silu[some], given[some] @ narrow
            ctx.down.add_gradients(active * up, given[some], factors[4:], found[4:])
            gated = torch.empty_like(kept[some])
            torch.mul(inner, active, out=gated[:, active.shape[1] :])
            torch.ops.aten.silu_backward(inner.mul_(up), gate, grad_input=gated[:, : active.shape[1]])
            normed = (flat[some] * scales[some]).mul_(ctx.norm.weight)
            ctx.wide.add_gradients(normed, gated, factors[:4], found[:4])
            back = _norm_backward(gated @ widen, flat[some], scales[some], ctx.norm.weight)
            torch.add(given[some], back, out=whole[some])
        return whole.view_as(rows), None, None, None, *_turned_back(found)


class TokenLoss(Function):
    """Cross-entropy summed over rows, some at a time, so that never all logits stand in memory.

    Arguments: rows (n, width), a frozen head (tokens, width), targets (n).
    """

    at_a_time = 256

    @staticmethod
    def forward(ctx: Any, rows: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        total, found = rows.new_zeros(()), torch.empty_like(rows)
        for some in _slices(len(rows), TokenLoss.at_a_time):
            with torch.enable_grad():
                part = rows[some].detach().requires_grad_()
                loss = F.cross_entropy(F.linear(part, head), targets[some], reduction="sum")
            total += loss.detach()
            (found[some],) = torch.autograd.grad(loss, part)
        ctx.save_for_backward(found)
        return total

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> Any:
        return ctx.saved_tensors[0] * outputs[0], None, None


def _slices(length: int, size: int) -> list[slice]:
    return [slice(at, at + size) for at in range(0, length, size)]
