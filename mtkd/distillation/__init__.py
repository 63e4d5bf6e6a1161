"""What two encoders show of a batch of text, and the losses between them."""

from mtkd.distillation.encoder import DistilledEncoder
from mtkd.distillation.needs import Needs, Shape, shape_of
from mtkd.distillation.queue import EmbeddingQueue
from mtkd.distillation.registry import (
    LOSSES,
    Embeddings,
    EmbeddingTerm,
    StateTerm,
    Term,
    WordTerm,
    build_terms,
    said_of,
)
from mtkd.distillation.states import States, WordHead
from mtkd.distillation.words import WordScoring

__all__ = [
    "LOSSES",
    "DistilledEncoder",
    "EmbeddingQueue",
    "EmbeddingTerm",
    "Embeddings",
    "Needs",
    "Shape",
    "StateTerm",
    "States",
    "Term",
    "WordHead",
    "WordScoring",
    "WordTerm",
    "build_terms",
    "said_of",
    "shape_of",
]
