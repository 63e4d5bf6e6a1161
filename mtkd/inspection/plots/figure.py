"""What all pictures share: matplotlib without its global state, colours, names, files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtkd.artifacts import write_file
from mtkd.errors import UserError
from mtkd.inspection.words import all_shortened
from mtkd.soft_labels import StoreInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 30  # characters of a teacher's name that are shown
ENSEMBLE = "black"
# Okabe and Ito's palette without black and without yellow, too pale for lines on white; teachers
# beyond the seventh repeat colours with another marker
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_STYLE: Any = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that no system font has a say
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a class may be called "$5"
    "svg.hashsalt": "mtkd",
    "savefig.dpi": 150.0,
}


def require_matplotlib() -> None:
    """Raise UserError, with the command that mends it, where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UserError(f"plots need matplotlib, which cannot be imported ({error}): "
                        "pip install 'mtkd[plot]'") from error  # fmt: skip


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in mtkd's style, whatever the user's own is; afterwards it is theirs again."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def new_figure(info: StoreInfo, what: str, width: float, height: float) -> Figure:
    """Return an empty figure of a store with a title. Args: width, height: in inches."""
    return titled_figure(f"{info.task}/{info.split}: {what}", width, height)


def titled_figure(title: str, width: float, height: float) -> Figure:
    """Return an empty figure with a title. Args: width, height: in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `<stem>.png` and `<stem>.svg`, without dates and versions; return both paths."""
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
    }
    paths = []
    for kind, values in metadata.items():
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=values)
        path = stem.with_name(f"{stem.name}.{kind}")
        write_file(path, content.getvalue())
        paths.append(path)
    return paths


def teacher_names(info: StoreInfo) -> list[str]:
    """Return the teachers' names, cut to a length that fits."""
    return all_shortened([teacher.name for teacher in info.teachers], NAME)


def legend_beside(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Put a legend to the right of all axes, with names that start with _ too."""
    shown = [f" {name}" if name.startswith("_") else name for name in names]
    figure.legend(list(handles), shown, loc="outside right upper", frameon=False)
