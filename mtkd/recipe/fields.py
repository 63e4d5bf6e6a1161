"""What recipes and task cards are made of: a base without unknown keys, and types of values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mtkd.recipe.names import folder_key, name_fault

_RESERVED = (
    "majority",
    "ensemble",
    "student",
    "baseline",
    "student_finetuned",
    "baseline_finetuned",
)


def _folder_name(name: str) -> str:
    if fault := name_fault(name):
        raise ValueError(f"a name becomes a folder: {fault}")
    if folder_key(name) in _RESERVED:
        raise ValueError(f"'{name}' is one of mtkd's own names ({', '.join(sorted(_RESERVED))})")
    return name


Name = Annotated[str, Field(min_length=1), AfterValidator(_folder_name)]
Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Switch = Annotated[  # YAML reads a bare on or off as true or false
    Literal["auto", "on", "off"],
    BeforeValidator(lambda value: ("on" if value else "off") if isinstance(value, bool) else value),
]


class Settings(BaseModel):
    """Base of all recipe parts: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
