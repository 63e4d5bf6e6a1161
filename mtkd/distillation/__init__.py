"""What two encoders show of a batch of text, and the losses between them."""

from mtkd.distillation.encoder import DistilledEncoder
from mtkd.distillation.needs import Needs, Shape, shape_of
from mtkd.distillation.registry import LOSSES, Term, build_terms
from mtkd.distillation.states import MaskedWords, States

__all__ = [
    "LOSSES",
    "DistilledEncoder",
    "MaskedWords",
    "Needs",
    "Shape",
    "States",
    "Term",
    "build_terms",
    "shape_of",
]
