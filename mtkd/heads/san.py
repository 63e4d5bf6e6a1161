"""The stochastic answer network: a head for pairs that reads the premise several times."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtkd.heads.initialisation import init_linear_layers


class SanHead(nn.Module):
    """K reasoning steps over the tokens of two texts; the prediction is the mean of all steps'.

    With M^h the token vectors of the hypothesis (the second text), M^p those of the premise (the
    first), and rows of one batch apart from each other:

        s_0     = sum_j a_j M^h_j,   a = softmax(w1.M^h)
        x_k     = sum_j b_j M^p_j,   b = softmax(s_k W2 M^p)
        P_k     = softmax(W3 [s_k; x_k; |s_k - x_k|; s_k * x_k] + bias),   k = 0..K-1
        s_{k+1} = GRU(input x_k, hidden s_k)

    Scoring before stepping is what the authors' code does; the paper's indices differ by one.

    Classification returns the log of the mean of P_k, so that softmax of the output is that mean;
    regression (`outputs` 1) the mean of the steps' raw scores. In training each row drops each of
    its steps with probability `step_dropout`, one step drawn at random always staying, and the
    mean is over those that stay. (The authors' code divides by K (1 - rate) instead, which is the
    same in expectation but no probability distribution.) In evaluation all steps count.

    Pads and special tokens get no attention. A text that truncation left without tokens is the
    zero vector. w1 and W2 have no bias: it would cancel in the softmax and never be trained.

    Args:
        hidden_size: width of the encoder.
        outputs: number of classes, or 1 for regression.
        dropout: probability of dropping an element of W3's input, and of s_k before the GRU.
        steps: K, at least 1.
        step_dropout: probability of dropping a whole step, 0 <= p < 1.

    Raises: ValueError: when `steps` or `step_dropout` is out of range.
    Source: Liu et al. 2018 (SAN for NLI, arXiv 1804.07888); MT-DNN (arXiv 1901.11504), section 3.
    """

    def __init__(
        self,
        hidden_size: int,
        outputs: int,
        dropout: float,
        steps: int = 5,
        step_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"a SAN head needs steps >= 1, got {steps}")
        if not 0 <= step_dropout < 1:
            raise ValueError(f"a SAN head needs 0 <= step_dropout < 1, got {step_dropout}")
        self.steps = steps
        self.step_dropout = step_dropout
        self.dropout = nn.Dropout(dropout)
        self.summary = nn.Linear(hidden_size, 1, bias=False)  # w1
        self.attention = nn.Linear(hidden_size, hidden_size, bias=False)  # W2
        self.classifier = nn.Linear(4 * hidden_size, outputs)  # W3
        self.gru = nn.GRUCell(hidden_size, hidden_size)
        init_linear_layers(self)

    def forward(
        self, hidden: Tensor, pooled: Tensor | None, mask: Tensor, segments: Tensor
    ) -> Tensor:
        """Logits, (batch, outputs). For the arguments see `mtkd.heads`; `pooled` is not read."""
        real = mask.bool()
        premise, hypothesis = real & (segments == 1), real & (segments == 2)
        state = _attend(self.summary(hidden).squeeze(-1), hidden, hypothesis)
        keys = self.attention(hidden)
        scores = []
        for step in range(self.steps):
            read = _attend(torch.bmm(keys, state.unsqueeze(-1)).squeeze(-1), hidden, premise)
            features = torch.cat([state, read, (state - read).abs(), state * read], dim=-1)
            scores.append(self.classifier(self.dropout(features)))
            if step + 1 < self.steps:
                state = self.gru(read, self.dropout(state))
        return self._mean(torch.stack(scores, dim=1))

    def _mean(self, scores: Tensor) -> Tensor:
        """Mean over the steps that stay, of scores (batch, steps, outputs)."""
        dropped = self._dropped(scores).unsqueeze(-1)
        kept = self.steps - dropped.sum(dim=1).to(scores.dtype)
        if scores.size(-1) == 1:
            return scores.masked_fill(dropped, 0.0).sum(dim=1) / kept
        # The log of a mean of probabilities, without leaving the log: no step can underflow to 0.
        log_probs = F.log_softmax(scores, dim=-1).masked_fill(dropped, -torch.inf)
        return log_probs.logsumexp(dim=1) - kept.log()

    def _dropped(self, scores: Tensor) -> Tensor:
        """Which steps of each row do not count this time, (batch, steps)."""
        dropped = torch.zeros(scores.shape[:2], dtype=torch.bool, device=scores.device)
        if not self.training or self.step_dropout == 0:
            return dropped
        dropped |= torch.rand(dropped.shape, device=scores.device) < self.step_dropout
        stays = torch.randint(self.steps, (len(dropped), 1), device=scores.device)
        return dropped.scatter(1, stays, False)


def _attend(scores: Tensor, hidden: Tensor, readable: Tensor) -> Tensor:
    """Mean of the readable token vectors, weighted by the softmax of their scores.

    Args: scores, readable: (batch, tokens). hidden: (batch, tokens, hidden_size).
    Returns: (batch, hidden_size); zero where no token is readable.
    """
    # The lowest finite number, not -inf, which would make NaN of a row with nothing to read. The
    # weights of such a row, by then uniform over pads too, are put to zero afterwards.
    lowest = torch.finfo(scores.dtype).min
    weights = F.softmax(scores.masked_fill(~readable, lowest), dim=-1)
    weights = weights.masked_fill(~readable, 0.0)
    return torch.bmm(weights.unsqueeze(1), hidden).squeeze(1)
