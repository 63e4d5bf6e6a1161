"""A hub without a network."""

import datasets
import pytest
from datasets import Dataset


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    """A hub that is asked nothing: `load_dataset` gives what the test puts in."""
    asked: list[tuple[object, ...]] = []

    def serve(answer: Dataset | Exception) -> list[tuple[object, ...]]:
        def load_dataset(path, config, *, revision, split):
            asked.append((path, config, revision, split))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *args, **kwargs: None)
        return asked

    return serve
