"""Adamax for an embedding of which a batch touches few rows, at the cost of those rows.

A row that is not in the batch has gradient 0; what Adamax then does to it is known beforehand: its
moments shrink by beta1 and beta2, and the weight moves by the learning rate times their quotient.
Any number of such updates in a row has a closed form, so a row is brought up to date only when it
is looked up next. The updates are those of Adamax, to rounding; a "lazy" optimiser, which leaves
untouched rows as they are, would be another algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mtkd.errors import RunDirError
from mtkd.optim.adamax import DecoupledAdamax

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PERIOD = 256  # updates after which all rows are brought up to date: bounds what is remembered
_CHUNK = 4096  # rows at once
_PREFIX = "rows."
_STATE = ("step", "last", "exp_avg", "exp_inf", "rates")


class DeferredRows:
    """Takes an embedding's updates over from `optimizer`, until `close`.

    Rows are brought up to date when `embedding` looks them up, and all of them when its state_dict
    is asked for.
    """

    def __init__(self, optimizer: DecoupledAdamax, embedding: nn.Embedding) -> None:
        weight = embedding.weight
        self._embedding, self._weight = embedding, weight
        self._optimizer = optimizer
        (self._number,) = [
            number
            for number, group in enumerate(optimizer.param_groups)
            if any(parameter is weight for parameter in group["params"])
        ]
        self._eps: float = self._group["eps"]
        self.step = torch.zeros((), dtype=torch.int64)  # updates in all
        self.last = torch.zeros(len(weight), dtype=torch.int64)  # those that a row has had
        self.exp_avg = torch.zeros_like(weight, requires_grad=False)
        self.exp_inf = torch.full_like(weight, self._eps, requires_grad=False)
        self.rates = torch.zeros(_PERIOD, dtype=torch.float64)  # of the last updates, by number
        self._gradient: Tensor | None = None
        self._frozen = False
        self._was_sparse, embedding.sparse = embedding.sparse, True
        self._hooks = [
            embedding.register_forward_pre_hook(self._before_lookup),
            embedding.register_state_dict_pre_hook(self._before_state_dict),
            optimizer.register_step_pre_hook(self._take_gradient),
            optimizer.register_step_post_hook(self._update),
        ]

    @property
    def _group(self) -> dict[str, Any]:
        return self._optimizer.param_groups[self._number]  # made anew when a state is loaded

    def close(self) -> None:
        """Bring all rows up to date, and give the embedding back."""
        self.settle()
        self._embedding.sparse = self._was_sparse
        for hook in self._hooks:
            hook.remove()

    @torch.no_grad()
    def settle(self, rows: Tensor | None = None) -> None:
        """Give `rows`, or all, the updates with gradient 0 that they have not had yet."""
        if rows is None:
            rows = torch.arange(len(self._weight))
        missing = int(self.step) - self.last[rows]
        rows, missing = rows[missing > 0], missing[missing > 0]
        if len(rows):
            tables = self._tables(int(missing.max()))
            for some, gaps in zip(rows.split(_CHUNK), missing.split(_CHUNK), strict=True):
                self._catch_up(some, gaps, *tables)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as it is, for a checkpoint."""
        return {_PREFIX + name: getattr(self, name) for name in _STATE}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave; the weights have to be those of the same moment."""
        for name in _STATE:
            getattr(self, name).copy_(tensors[_PREFIX + name])

    @contextmanager
    def as_they_are(self) -> Iterator[None]:
        """Leave rows as they are, whoever looks: a checkpoint must not change what comes after."""
        self._frozen = True
        try:
            yield
        finally:
            self._frozen = False

    def _tables(self, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return, for 0 to `most` missing updates, what they do to a row, each (most + 1,).

        kept: the factor of the weight. moved: what is taken off it, in units of m / u at the row's
        last update, while u shrinks. floored: the same in units of m / eps, where u no longer does.
        """
        beta1, beta2 = self._group["betas"]
        decay = self._group["decoupled_decay"]
        kept, moved, floored = [1.0], [0.0], [0.0]
        for number in range(int(self.step), int(self.step) - most, -1):
            rate = float(self.rates[number % _PERIOD])
            step = rate / (1 - beta1**number) * kept[-1]
            moved.append(beta1 / beta2 * (step + moved[-1]))
            floored.append(beta1 * (step + floored[-1]))
            kept.append(kept[-1] * (1 - rate * decay))
        return tuple(torch.tensor(t, dtype=torch.float64) for t in (kept, moved, floored))  # type: ignore[return-value]

    def _catch_up(
        self, rows: Tensor, missing: Tensor, kept: Tensor, moved: Tensor, floored: Tensor
    ) -> None:
        beta1, beta2 = self._group["betas"]
        m, u = self.exp_avg[rows], self.exp_inf[rows]
        later = u * (beta2 ** missing.double()).float()[:, None]
        move = m / u * moved[missing].float()[:, None]
        # Adamax keeps u at eps or above: where it comes there, the quotient is m / eps from then on
        low = ((later < self._eps) & (m != 0)).nonzero(as_tuple=True)
        if len(low[0]):
            m_low, u_low, gaps = m[low].double(), u[low].double(), missing[low[0]]
            before = (u_low / self._eps).log().div(-math.log(beta2)).floor().long()
            before = before.clamp_min(0).minimum(gaps)
            after = gaps - before
            while_shrinking = moved[gaps] - (beta1 / beta2) ** before.double() * moved[after]
            at_floor = beta1 ** before.double() * floored[after]
            move[low] = (m_low * (while_shrinking / u_low + at_floor / self._eps)).float()
        self._weight[rows] = self._weight[rows] * kept[missing].float()[:, None] - move
        self.exp_avg[rows] = m * (beta1 ** missing.double()).float()[:, None]
        self.exp_inf[rows] = later.clamp_min_(self._eps)
        self.last[rows] = self.step

    def _before_lookup(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if not self._frozen and self.step > 0:
            self.settle(arguments[0].unique())

    def _before_state_dict(self, *_: Any) -> None:
        if not self._frozen:
            self.settle()

    def _take_gradient(self, *_: Any) -> None:
        gradient = self._weight.grad
        self._gradient = None if gradient is None else gradient.coalesce()
        self._weight.grad = None  # torch's Adamax knows no sparse ones

    @torch.no_grad()
    def _update(self, *_: Any) -> None:
        """Take one step of Adamax (Kingma and Ba 2015, algorithm 2) on the rows of the batch."""
        if self._gradient is None:
            return
        rows, gradient = self._gradient._indices()[0], self._gradient._values()
        self._gradient = None
        assert bool((self.last[rows] == self.step).all()), "rows were read past the embedding"
        self.step += 1
        beta1, beta2 = self._group["betas"]
        rate = self._group["lr"]
        self.rates[int(self.step) % _PERIOD] = rate
        m = self.exp_avg[rows].lerp_(gradient, 1 - beta1)
        u = torch.maximum(self.exp_inf[rows].mul_(beta2), gradient.abs().add_(self._eps))
        weight = self._weight[rows].mul_(1 - rate * self._group["decoupled_decay"])
        self._weight[rows] = weight.addcdiv_(m, u, value=-rate / (1 - beta1 ** int(self.step)))
        self.exp_avg[rows], self.exp_inf[rows], self.last[rows] = m, u, self.step
        if int(self.step) % _PERIOD == 0:
            self.settle()


def defer_rows(
    encoder: PreTrainedModel, model: nn.Module, optimizer: torch.optim.Optimizer
) -> DeferredRows | None:
    """Defer the rows of the encoder's word embeddings, or return None where that cannot be.

    It takes Adamax, and one plain table that is trained and that nothing else in the model reads.
    """
    embedding = encoder.get_input_embeddings()
    if type(embedding) is not nn.Embedding or not isinstance(optimizer, DecoupledAdamax):
        return None
    if not embedding.weight.requires_grad or embedding.max_norm or embedding.scale_grad_by_freq:
        return None
    readers = [
        module
        for module in model.modules()
        if any(parameter is embedding.weight for parameter in module.parameters(recurse=False))
    ]
    return DeferredRows(optimizer, embedding) if readers == [embedding] else None


def check_deferred(tensors: Mapping[str, Tensor], rows: DeferredRows | None, folder: Path) -> None:
    """Refuse a checkpoint whose optimiser was kept in another way.

    Raises: RunDirError.
    """
    if any(name.startswith(_PREFIX) for name in tensors) != (rows is not None):
        raise RunDirError(f"{folder}: made on another kind of device, or by another number of "
                          "processes; go on there, or delete it to start that training anew"
                          )  # fmt: skip
