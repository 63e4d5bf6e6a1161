from __future__ import annotations

from typing import Any

import pytest
import torch

from mtkd.distillation import LOSSES, Needs, Shape, States, Term, WordTerm, build_terms
from mtkd.distillation.pair import make_pair
from mtkd.distillation.registry import evenly, said_of
from mtkd.errors import RecipeError
from mtkd.layers import Heads
from mtkd.losses import relations
from mtkd.recipe import EncoderLosses
from mtkd.training.corpus import MaskedBatch

TEACHER = Shape(layers=6, width=8, heads=4, vocabulary=3)
STUDENT = Shape(layers=3, width=8, heads=4, vocabulary=3)


def term(name: str, student: Shape = STUDENT, teacher: Shape = TEACHER, **settings: Any) -> Term:
    losses = EncoderLosses.model_validate({name: {"weight": 1.0, **settings}})
    (found,) = build_terms(losses, student, teacher)
    return found


def batch() -> MaskedBatch:
    """A row of three real tokens and one of padding; the second is masked, and was word 2."""
    mask = torch.tensor([[1, 1, 1, 0]])
    return MaskedBatch(
        {"input_ids": torch.tensor([[5, 6, 7, 0]]), "attention_mask": mask},
        real_places=torch.tensor([1, 0, 2]),
        labels=torch.tensor([2]),
        units={"row": 1, "token": 3, "masked": 1},
        rows=1,
    )


def states(vectors: list[list[float]], layer: int) -> States:
    padded = torch.tensor([[*vectors, [1e6, -1e6]]], dtype=torch.float64)
    return States(None, {layer: padded}, {})


def values(found: Term) -> torch.Tensor:
    """A loss on the three tokens of `batch`."""
    if isinstance(found, WordTerm):
        return found.values(OWN_LOGITS, OTHER_LOGITS, batch().labels)
    return found.values(OWN, OTHER, batch())


WHOLE = {n: Needs(attention=frozenset({n}), values=frozenset({n})) for n in (3, 5, 6)}
OWN = states([[1, 0], [1, 1], [3, 4]], layer=3)
OTHER = states([[0, 1], [1, 1], [4, 3]], layer=6)
# of the masked token, then of the others
OWN_LOGITS = torch.tensor([[0, 0, 0], [1, 2, 0], [0.5, -0.5, 0]], dtype=torch.float64)
OTHER_LOGITS = torch.tensor([[1, 0, -1], [2, 1, 0], [0.5, -0.5, 0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "settings", "unit", "expected"),
    [
        ("soft_mlm", {"temperature": 2.0}, "token", 0.237418),
        ("soft_mlm", {"temperature": 2.0, "restrict_to_masked": True}, "masked", 0.313684),
        ("soft_mlm", {"temperature": 1.0, "restrict_to_masked": True}, "masked", 0.266217),
        (
            "soft_mlm",
            {"temperature": 1.0, "restrict_to_masked": True, "reverse": True},
            "masked",
            0.308994,
        ),
        ("mlm", {}, "masked", 1.098612),
        ("cosine", {}, "token", 0.346667),
    ],
)
def test_distilberts_losses_have_their_known_values(
    name: str, settings: dict[str, Any], unit: str, expected: float
) -> None:
    found = term(name, **settings)
    assert found.unit == unit
    assert len(values(found)) == batch().units[unit]
    assert values(found).mean().item() == pytest.approx(expected, abs=1e-5)


def test_the_triple_loss_is_their_weighted_sum() -> None:
    losses = EncoderLosses.model_validate(
        {"soft_mlm": {"weight": 5.0, "temperature": 2.0}, "mlm": {"weight": 2.0},
         "cosine": {"weight": 1.0}}
    )  # fmt: skip
    terms = build_terms(losses, STUDENT, TEACHER)
    total = sum(t.weight * values(t).mean().item() for t in terms)
    assert total == pytest.approx(3.730979, abs=1e-5)


def test_a_loss_that_weighs_nothing_asks_for_nothing() -> None:
    losses = EncoderLosses.model_validate({"mlm": {"weight": 2.0}, "minilm": {
        "weight": 0.0, "relation_heads": 3}})  # 3 does not divide: nobody looks  # fmt: skip
    assert [t.name for t in build_terms(losses, STUDENT, TEACHER)] == ["mlm"]


@pytest.mark.parametrize(
    ("name", "settings", "student", "teacher"),
    [
        ("soft_mlm", {}, Needs("real"), Needs("real")),
        ("soft_mlm", {"restrict_to_masked": True}, Needs("masked"), Needs("masked")),
        ("mlm", {}, Needs("masked"), Needs()),
        ("cosine", {}, Needs(hidden=frozenset({3})), Needs(hidden=frozenset({6}))),
        ("hidden_mse", {}, Needs(hidden=frozenset({1, 2, 3})), Needs(hidden=frozenset({2, 4, 6}))),
        ("embedding_mse", {}, Needs(hidden=frozenset({0})), Needs(hidden=frozenset({0}))),
        ("attention_mse", {}, Needs(attention=frozenset({1, 2, 3})),
         Needs(attention=frozenset({2, 4, 6}))),
        ("pkd", {}, Needs(hidden=frozenset({1, 2})), Needs(hidden=frozenset({2, 4}))),
        ("pkd", {"layers": "last"}, Needs(hidden=frozenset({1, 2})),
         Needs(hidden=frozenset({4, 5}))),
        ("minilm", {"relation_heads": 2}, WHOLE[3], WHOLE[6]),
        ("minilm", {"relation_heads": 2, "teacher_layer": 5}, WHOLE[3], WHOLE[5]),
        ("representation", {}, Needs(hidden=frozenset({3})), Needs(hidden=frozenset({6}))),
        ("simcse", {}, Needs(hidden=frozenset({3}), embeddings=2), Needs()),
        ("contrastive", {}, Needs(hidden=frozenset({3}), embeddings=1),
         Needs(hidden=frozenset({6}), embeddings=1)),
        ("seed", {}, Needs(hidden=frozenset({3}), embeddings=1),
         Needs(hidden=frozenset({6}), embeddings=1)),
    ],
)  # fmt: skip
def test_each_loss_says_what_it_reads_of_either_model(
    name: str, settings: dict[str, Any], student: Needs, teacher: Needs
) -> None:
    found = term(name, **settings)
    assert (found.student, found.teacher) == (student, teacher)


def test_every_loss_of_a_recipe_is_in_the_registry() -> None:
    assert set(LOSSES) == set(EncoderLosses.model_fields)


def test_layers_of_twelve_and_six_are_matched_as_published() -> None:
    twelve, six = Shape(12, 8, 4, 3), Shape(6, 8, 4, 3)
    assert evenly(6, 12) == {1: 2, 2: 4, 3: 6, 4: 8, 5: 10, 6: 12}
    skip = term("pkd", six, twelve).teacher.hidden
    last = term("pkd", six, twelve, layers="last").teacher.hidden
    assert (sorted(skip), sorted(last)) == ([2, 4, 6, 8, 10], [7, 8, 9, 10, 11])


@pytest.mark.parametrize("layers", ["skip", "last"])
def test_pkd_of_a_student_deeper_than_its_teacher_is_refused(layers: str) -> None:
    with pytest.raises(RecipeError, match=r"losses\.pkd: .* the student has 6, the teacher 3"):
        term("pkd", TEACHER, STUDENT, layers=layers)
    assert sorted(term("pkd", STUDENT, STUDENT, layers=layers).teacher.hidden) == [1, 2]


def test_pkd_reads_the_first_token_of_each_layer() -> None:
    draw = torch.Generator().manual_seed(1)
    own, other = (torch.randn(2, 3, 8, generator=draw) for _ in range(2))
    shown = States(None, {1: own, 2: own}, {}), States(None, {2: other, 4: other}, {})
    found = term("pkd").values(*shown, batch())
    apart = own[:, 0] / own[:, 0].norm(dim=1, keepdim=True)
    apart = apart - other[:, 0] / other[:, 0].norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, 2 * apart.square().mean(1))


def test_minilm_is_the_sum_over_queries_keys_and_values_with_heads_side_by_side() -> None:
    """The published oracle: one head of size 2 in the student, two of size 2 in the teacher."""
    own = torch.tensor([[[[1.0, 0], [0, 1]]]], dtype=torch.float64)
    other = torch.tensor([[[[1.0, 0], [1, 0]], [[0, 0], [0, 0]]]], dtype=torch.float64)
    student, teacher = Shape(1, 2, 1, 3), Shape(1, 4, 2, 3)
    found = term("minilm", student, teacher, relation_heads=1)
    one = torch.tensor([0])
    both = MaskedBatch({"attention_mask": torch.tensor([[1, 1]])}, one, one, {}, 1)
    values = found.values(
        States(None, {}, {1: Heads(own, own, own)}),
        States(None, {}, {1: Heads(other, other, other)}),
        both,
    )
    assert values.mean().item() == pytest.approx(3 * 0.06124, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "student", "key"),
    [
        ("soft_mlm", {}, Shape(3, 8, 4, 5), "losses.soft_mlm: the student's vocabulary has 5"),
        ("cosine", {}, Shape(3, 4, 4, 3), "losses.cosine: the student's states have 4"),
        ("pkd", {}, Shape(3, 4, 4, 3), "losses.pkd: the student's states have 4"),
        ("pkd", {}, Shape(1, 8, 4, 3), "losses.pkd: is on all layers of the student but the last"),
        ("attention_mse", {}, Shape(3, 8, 2, 3), "losses.attention_mse: the student has 2"),
        ("minilm", {"relation_heads": 3}, STUDENT, "losses.minilm.relation_heads: 3 does not"),
        ("minilm", {"relation_heads": 2, "teacher_layer": 7}, STUDENT,
         "losses.minilm.teacher_layer: 7, of 6 layers"),
    ],
)  # fmt: skip
def test_what_two_models_cannot_have_is_refused_by_its_key(
    name: str, settings: dict[str, Any], student: Shape, key: str
) -> None:
    with pytest.raises(RecipeError, match=key):
        term(name, student, **settings)


def test_all_faults_are_named_at_once() -> None:
    losses = EncoderLosses.model_validate({"cosine": {"weight": 1.0}, "pkd": {"weight": 1.0}})
    with pytest.raises(RecipeError, match=r"2 fault\(s\)\nlosses.cosine.*\nlosses.pkd"):
        build_terms(losses, Shape(3, 4, 4, 3), TEACHER)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_states_of_all_layers_are_compared_and_summed_up() -> None:
    own = States(None, {n: drawn(n, 1, 4, 8) for n in (1, 2, 3)}, {})
    other = States(None, {n: drawn(10 + n, 1, 4, 8) for n in (2, 4, 6)}, {})
    found = term("hidden_mse").values(own, other, batch())
    by_hand = sum((own.hidden[m] - other.hidden[2 * m]).square().mean(2) for m in (1, 2, 3))
    torch.testing.assert_close(found, by_hand[0, [1, 0, 2]])


def test_scores_of_all_layers_are_compared_and_summed_up() -> None:
    def attention(*layers: int) -> dict[int, Heads]:
        return {n: Heads(drawn(n, 1, 4, 4, 2), drawn(20 + n, 1, 4, 4, 2), None) for n in layers}

    own, other = States(None, {}, attention(1, 2, 3)), States(None, {}, attention(2, 4, 6))
    found = term("attention_mse").values(own, other, batch())
    scores = [(own.scores(m) - other.scores(2 * m))[0, :, :3, :3] for m in (1, 2, 3)]
    by_hand = sum(difference.square().mean() for difference in scores)
    torch.testing.assert_close(found, by_hand[None])
    query, key = own.attention[1].query, own.attention[1].key
    torch.testing.assert_close(own.scores(1), torch.einsum("bhqd,bhkd->bhqk", query, key) / 2**0.5)


def test_minilm_compares_queries_keys_and_values_each_with_its_like() -> None:
    def heads(first: int) -> Heads:
        return Heads(*(drawn(first + n, 1, 4, 4, 2) for n in range(3)))

    one, two = heads(0), heads(10)
    shown = (States(None, {}, {3: one}), States(None, {}, {6: two}))
    found = term("minilm", relation_heads=2).values(*shown, batch())
    mask = torch.tensor([[1, 1, 1, 0]])
    by_hand = sum(
        relations(*(getattr(each, kind).transpose(1, 2).flatten(2) for each in (one, two)), mask, 2)
        for kind in ("query", "key", "value")
    )
    torch.testing.assert_close(found, by_hand[0, :3])


def test_bf16_scores_are_summed_up_in_float32() -> None:
    """A product of 64 numbers in bf16 would have two digits."""
    query, key = (drawn(n, 1, 1, 2, 64).bfloat16() for n in (1, 2))
    found = States(None, {}, {1: Heads(query, key, None)}).scores(1)
    exact = query.double() @ key.double().transpose(2, 3) / 8
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=0)


def test_a_log_says_which_layers_are_compared() -> None:
    said = [said_of(found) for found in (term("pkd"), term("hidden_mse"), term("mlm"))]
    assert said == ["pkd (layer 1 with 2, 2 with 4)",
                    "hidden_mse (layer 1 with 2, 2 with 4, 3 with 6)", "mlm"]  # fmt: skip


def test_the_representation_is_compared_after_the_last_layer_alone() -> None:
    """The oracle: 9 in all, 4.5 a token, 2.25 a token and dimension; pads do not count."""
    own = States(None, {3: torch.tensor([[[1.0, 2], [0, 0], [9, 9]]])}, {})
    other = States(None, {6: torch.tensor([[[0.0, 0], [0, 2], [-9, 9]]])}, {})
    two = MaskedBatch({"attention_mask": torch.tensor([[1, 1, 0]])}, torch.tensor([0, 1]),
                      torch.tensor([0]), {}, 1)  # fmt: skip
    student, teacher = Shape(3, 2, 1, 3), Shape(6, 2, 1, 3)
    found = term("representation", student, teacher).values(own, other, two)
    assert found.mean().item() == 2.25


def test_seed_of_another_width_and_a_projection_beside_embeddings_are_refused() -> None:
    narrow = Shape(layers=3, width=4, heads=4, vocabulary=3)
    with pytest.raises(
        RecipeError, match=r"losses\.seed: the student's embeddings have 4 dimensio"
    ):
        term("seed", narrow)
    assert term("contrastive", narrow).student.embeddings == 1
    both = {"hidden_mse": {"weight": 1.0}, "simcse": {"weight": 1.0}}
    with pytest.raises(RecipeError, match=r"losses\.hidden_mse: projects .* losses\.simcse"):
        make_pair(EncoderLosses.model_validate(both), narrow, TEACHER)
    assert make_pair(EncoderLosses.model_validate(both), STUDENT, TEACHER).projected is None


def test_a_pair_keeps_a_queue_where_seed_reads_one() -> None:
    for losses, queued in (({"simcse": {"weight": 1.0}}, False),
                          ({"seed": {"weight": 1.0}}, True)):  # fmt: skip
        assert make_pair(EncoderLosses.model_validate(losses), STUDENT, TEACHER).queued == queued
