"""Tiny encoders with random weights, made on the spot."""

from __future__ import annotations

import random
from pathlib import Path

import torch

_TEXT = """
the a cat dog bird man woman child sleeps sees runs eats likes does not is who what when where why
all some no every small big red happy sad and or but in on under with of to it question answer
story film good bad fine true false
"""
_WORDS = tuple(_TEXT.split())


def make_encoder(folder: Path, *, cased: bool = False, layers: int = 2, seed: int = 0) -> str:
    """Write a tiny BERT of random weights, its tokenizer of words and letters; return its path."""
    from transformers import BertConfig, BertModel, BertTokenizer

    letters = [chr(c) for c in range(33, 127)]
    words = [*_WORDS, *(w.capitalize() for w in _WORDS)] if cased else list(_WORDS)
    singles = letters if cased else [c for c in letters if not c.isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *singles, *(f"##{c}" for c in singles)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, *words]))}
    tokenizer = BertTokenizer(vocab=vocabulary, do_lower_case=not cased, model_max_length=128)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


_SUBJECTS = ("the cat", "a dog", "the bird", "the small man", "a woman", "the big child")
_VERBS = ("sleeps", "runs", "eats", "sees the dog", "likes a bird", "likes the happy man")


def make_glue(folder: Path, train: int = 48, dev: int = 24, test: int = 16) -> Path:
    """Write RTE, STS-B, CoLA, MNLI and AX in the official formats, of a few hundred words."""
    draw = random.Random(7)

    def sentence() -> str:
        return f"{draw.choice(_SUBJECTS)} {draw.choice(_VERBS)} ."

    def write(path: str, header: str | None, rows: list[list[str]]) -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = ([header] if header else []) + ["\t".join(row) for row in rows]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def pairs(count: int, labels: tuple[str, ...]) -> list[list[str]]:
        found = []
        for i in range(count):
            first, label = sentence(), labels[i % len(labels)]
            second = first if label == "entailment" else sentence().replace("the", "no")
            found.append([str(i), first, second, label])
        return found

    two, three = ("entailment", "not_entailment"), ("entailment", "neutral", "contradiction")
    sizes = {"train": train, "dev": dev, "test": test}
    for split, count in sizes.items():
        gold = split != "test"
        rows = [row if gold else row[:3] for row in pairs(count, two)]
        write(f"RTE/{split}.tsv", "index\tsentence1\tsentence2" + "\tlabel" * gold, rows)
        scores = [
            [str(i), sentence(), sentence(), f"{draw.uniform(0, 5):.3f}"] for i in range(count)
        ]
        write(f"STS-B/{split}.tsv", "index\tsentence1\tsentence2" + "\tscore" * gold,
              [row if gold else row[:3] for row in scores])  # fmt: skip
        if gold:
            cola = [["x", str(i % 2), "", sentence() if i % 2 else "cat the sleeps"]
                    for i in range(count)]  # fmt: skip
            write(f"CoLA/{split}.tsv", None, cola)
        else:
            write("CoLA/test.tsv", "index\tsentence", [[str(i), sentence()] for i in range(count)])
    header = "index\tsentence1\tsentence2"
    for split in ("train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched"):
        gold = not split.startswith("test")
        rows = [row if gold else row[:3] for row in pairs(sizes[split.split("_")[0]], three)]
        write(f"MNLI/{split}.tsv", header + "\tgold_label" * gold, rows)
    write("diagnostic/diagnostic.tsv", header, [row[:3] for row in pairs(test, three)])
    return folder
