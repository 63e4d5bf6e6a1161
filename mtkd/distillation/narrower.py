"""A narrower BERT: the coordinates, attention heads and neurons that carry most, as they are.

Coordinates are kept whole. A rotation onto the main directions of the embeddings would keep more of
their variance, but neither LayerNorm's gains, one a coordinate, nor the head's GELU commute with
it: measured on a trained encoder, such a start was further from its teacher than a random one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mtkd.distillation.needs import shape_of
from mtkd.errors import RecipeError

_LAYER = re.compile(r".*\.layer\.(\d+)\.")

# What the axes of a BERT's weights are counted in, by how their names end; the first that fits.
_AXES: dict[str, tuple[str | None, ...]] = {
    "_embeddings.weight": (None, "hidden"),
    "LayerNorm.weight": ("hidden",),
    "LayerNorm.bias": ("hidden",),
    "attention.self.query.weight": ("heads", "hidden"),
    "attention.self.query.bias": ("heads",),
    "attention.self.key.weight": ("heads", "hidden"),
    "attention.self.key.bias": ("heads",),
    "attention.self.value.weight": ("heads", "hidden"),
    "attention.self.value.bias": ("heads",),
    "attention.output.dense.weight": ("hidden", "heads"),
    "attention.output.dense.bias": ("hidden",),
    "intermediate.dense.weight": ("neurons", "hidden"),
    "intermediate.dense.bias": ("neurons",),
    "output.dense.weight": ("hidden", "neurons"),
    "output.dense.bias": ("hidden",),
    "transform.dense.weight": ("hidden", "hidden"),
    "transform.dense.bias": ("hidden",),
    "decoder.weight": (None, "hidden"),
    "predictions.decoder.bias": (None,),
    "predictions.bias": (None,),
}


def chosen_width(width: int | None, teacher: Mapping[str, Any]) -> int:
    """Return the student's width: the teacher's for None.

    Args: width: `student.hidden_size`. teacher: its config.
    Raises: RecipeError: a width that its student cannot have.
    """
    shape = shape_of(teacher)
    if width is None or width == shape.width:
        return shape.width
    key, size = "student.hidden_size", shape.width // shape.heads
    if teacher.get("model_type") != "bert":
        raise RecipeError(f"{key}: {width}, but only a BERT can be made narrower, and the teacher "
                          f"is a {teacher.get('model_type')} of width {shape.width}; leave it "
                          "out")  # fmt: skip
    if width > shape.width:
        raise RecipeError(f"{key}: {width}, but the teacher's is {shape.width}")
    if width % size:
        near = max(width // size, 1) * size
        raise RecipeError(f"{key}: expected a multiple of {size}, since attention heads of that "
                          f"size are kept whole, found {width}; {near} would do")  # fmt: skip
    return width


def narrowed_config(teacher: Any, width: int) -> Any:
    """Return a BERT's config of another width, with heads of the same size, and as many neurons."""
    shape = shape_of(teacher.to_dict())
    own = copy.deepcopy(teacher)
    own.hidden_size = width
    own.num_attention_heads = width * shape.heads // shape.width
    own.intermediate_size = max(1, teacher.intermediate_size * width // shape.width)
    return own


def narrowed_weights(weights: Mapping[str, Tensor], teacher: Any, own: Any) -> dict[str, Tensor]:
    """Return the weights of a BERT for masked language, with some of their rows and columns.

    Kept are the coordinates whose LayerNorms have the largest gains, in the mean over all of them:
    a state is its normalised self times these. In a layer, the heads whose values and outputs make
    the largest product, and neurons likewise, both seen from the coordinates that are kept. What
    is kept stays in its order, so that with the teacher's width all weights are the teacher's.

    Args: teacher, own: configs, as `narrowed_config` gives the second.
    """
    gains = [tensor.abs() for name, tensor in weights.items() if name.endswith("LayerNorm.weight")]
    hidden = _largest(torch.stack(gains).mean(0), own.hidden_size)
    found = _kept(weights, lambda _, part: hidden if part == "hidden" else None)
    size = teacher.hidden_size // teacher.num_attention_heads
    in_layers: dict[tuple[str, str], Tensor] = {}
    for layer in {match[0] for name in found if (match := _LAYER.match(name))}:
        value = found[f"{layer}attention.self.value.weight"].unflatten(0, (-1, size))
        output = found[f"{layer}attention.output.dense.weight"].unflatten(1, (-1, size))
        product = output.transpose(0, 1) @ value  # (heads, width, width)
        heads = _largest(product.flatten(1).norm(dim=1), own.num_attention_heads)
        in_layers[layer, "heads"] = (heads[:, None] * size + torch.arange(size)).flatten()
        into = found[f"{layer}intermediate.dense.weight"].norm(dim=1)
        out_of = found[f"{layer}output.dense.weight"].norm(dim=0)
        in_layers[layer, "neurons"] = _largest(into * out_of, own.intermediate_size)

    def of_its_layer(name: str, part: str) -> Tensor | None:
        match = _LAYER.match(name)
        return in_layers.get((match[0], part)) if match else None

    return _kept(found, of_its_layer)


def _kept(
    weights: Mapping[str, Tensor], chosen: Callable[[str, str], Tensor | None]
) -> dict[str, Tensor]:
    """Return weights with the chosen entries of each axis; all, where None is chosen."""
    found = {}
    for name, tensor in weights.items():
        kept = tensor
        for axis, part in enumerate(_axes(name)):
            if part is not None and (numbers := chosen(name, part)) is not None:
                kept = kept.index_select(axis, numbers)
        found[name] = kept
    return found


def _axes(name: str) -> tuple[str | None, ...]:
    for end, axes in _AXES.items():
        if name.endswith(end):
            return axes
    raise AssertionError(f"nothing says what the axes of {name} are")


def _largest(values: Tensor, count: int) -> Tensor:
    """Return where the largest values stand, in ascending order; of equal ones the first."""
    return values.sort(descending=True, stable=True).indices[:count].sort().values
