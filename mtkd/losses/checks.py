"""What every loss checks before it computes: shapes that broadcasting would hide, temperatures."""

from __future__ import annotations

from torch import Tensor

from mtkd.errors import ShapeError


def expect_shape(name: str, tensor: Tensor, shape: tuple[int, ...], like: str) -> None:
    """Refuse a tensor of another shape; nothing is broadcast.

    Args: name: the argument, for the message. shape: what it must be. like: what asks for that.
    Raises: ShapeError.
    """
    if tuple(tensor.shape) != shape:
        raise ShapeError(
            f"{name}: expected shape {shape} to go with {like}, got {tuple(tensor.shape)}; "
            "reshape it where it is made, it is never broadcast here"
        )


def expect_logits(name: str, logits: Tensor) -> None:
    """Refuse logits that are not (batch, classes) with at least two classes.

    One column is a regression score: its softmax is 1 and its loss 0, whatever the model says.

    Raises: ShapeError.
    """
    if logits.dim() != 2 or logits.size(1) < 2:
        raise ShapeError(
            f"{name}: expected (batch, classes) with 2 classes or more, got "
            f"{tuple(logits.shape)}; for a regression task use squared_error"
        )


def expect_temperature(temperature: float) -> None:
    """Refuse a temperature that is not above 0.

    Raises: ValueError.
    """
    if not temperature > 0:
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")


def expect_states(name: str, states: Tensor, like: Tensor | None = None) -> None:
    """Refuse hidden states that are not (positions, width), or not of the shape of others.

    Raises: ShapeError.
    """
    if states.dim() != 2:
        raise ShapeError(
            f"{name}: expected hidden states (positions, width), got {tuple(states.shape)}; take "
            "the real tokens out of a batch first"
        )
    if like is not None:
        expect_shape(name, states, tuple(like.shape), f"states {tuple(like.shape)}")
