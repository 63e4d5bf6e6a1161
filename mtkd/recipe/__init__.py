"""Recipes: their schema, how they are loaded, and the seeds that follow from theirs."""

from mtkd.recipe.compress import CompressRecipe, CorpusSettings, SmallerEncoder
from mtkd.recipe.encoder_losses import EmbeddingSettings, EncoderLosses
from mtkd.recipe.lifelong import Domain, LifelongRecipe, Replay
from mtkd.recipe.load import (
    RUN_RECIPE,
    Recipe,
    load_glue_recipe,
    load_recipe,
    recipe_names,
    save_recipe,
)
from mtkd.recipe.schema import (
    Candidate,
    DataSettings,
    EncoderSettings,
    GlueRecipe,
    HeadSettings,
    SoftLabels,
    Student,
    Teachers,
    Unlabelled,
)
from mtkd.recipe.seeds import derive_seed
from mtkd.recipe.training import Sampling, TrainingOverrides, TrainingSettings, with_overrides

__all__ = [
    "RUN_RECIPE",
    "Candidate",
    "CompressRecipe",
    "CorpusSettings",
    "DataSettings",
    "Domain",
    "EmbeddingSettings",
    "EncoderLosses",
    "EncoderSettings",
    "GlueRecipe",
    "HeadSettings",
    "LifelongRecipe",
    "Recipe",
    "Replay",
    "Sampling",
    "SmallerEncoder",
    "SoftLabels",
    "Student",
    "Teachers",
    "TrainingOverrides",
    "TrainingSettings",
    "Unlabelled",
    "derive_seed",
    "load_glue_recipe",
    "load_recipe",
    "recipe_names",
    "save_recipe",
    "with_overrides",
]
