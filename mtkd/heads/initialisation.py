"""How the weights of a new head are drawn."""

from __future__ import annotations

from torch import nn

STANDARD_DEVIATION = 0.02


def init_linear_layers(module: nn.Module) -> None:
    """Draw each `nn.Linear` in `module` as BERT does: weights normal(0, 0.02), biases zero.

    Draws from torch's global generator, which the caller seeds. Other layers stay as torch made
    them.
    Source: Devlin et al. 2019, google-research/bert `create_initializer` (untruncated here, as in
    transformers).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, mean=0.0, std=STANDARD_DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
