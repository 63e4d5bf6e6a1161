import pytest
import torch
from torch import Tensor
from transformers import BertForMaskedLM, PreTrainedModel

from mtkd.distillation.narrower import chosen_width, narrowed_config, narrowed_weights
from mtkd.distillation.smaller import smaller_encoder
from mtkd.errors import RecipeError
from mtkd.recipe import SmallerEncoder
from tests.distillation.teachers import HEADS, NEURONS, WIDTH, WORDS, make_teacher

SIZE = WIDTH // HEADS


def narrower(teacher: PreTrainedModel, width: int, **changes: object) -> PreTrainedModel:
    layers = teacher.config.num_hidden_layers
    settings = {"layers": layers, "hidden_size": width, **changes}
    return smaller_encoder(teacher, SmallerEncoder.model_validate(settings), seed=1)


@torch.no_grad()
def logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.log_softmax(-1)


def some_ids() -> Tensor:
    return torch.randint(5, WORDS, (4, 12), generator=torch.Generator().manual_seed(3))


# --- what is kept ---------------------------------------------------------------------------------


def test_with_its_own_width_all_weights_are_the_teachers():
    teacher = make_teacher("bert", 2)
    own = narrowed_config(teacher.config, WIDTH)
    assert own.to_dict() == teacher.config.to_dict()
    found = narrowed_weights(teacher.state_dict(), teacher.config, own)
    assert found.keys() == teacher.state_dict().keys()
    assert all(torch.equal(found[n], t) for n, t in teacher.state_dict().items())


@pytest.mark.parametrize("architecture", ["distilbert", "same"])
def test_the_teachers_own_width_gives_the_teacher(architecture):
    teacher = make_teacher("bert", 2)
    student = narrower(teacher, WIDTH, architecture=architecture)
    ids = some_ids()
    torch.testing.assert_close(logits(student, ids), logits(teacher, ids), rtol=0, atol=1e-5)


def twice(small: BertForMaskedLM) -> BertForMaskedLM:
    """Return a BERT of twice the width that says the same.

    Each coordinate stands in it twice, and is read once; the heads and neurons that it has more
    come first, and nothing reads them.
    """
    big = make_teacher("bert", 2, tie_word_embeddings=False)
    weights, drawn = small.state_dict(), big.state_dict()

    def put(name: str) -> Tensor:
        tensor, new = weights[name], drawn[name].clone()
        if "self" in name:  # (heads, read)
            new[: WIDTH // 2] = 0 if "value" in name else new[: WIDTH // 2]
            new[WIDTH // 2 :] = 0
            new[(slice(WIDTH // 2, None), slice(WIDTH // 2))[: tensor.dim()]] = tensor
        elif "intermediate" in name:  # (neurons, read)
            new[NEURONS // 2 :] = 0
            new[(slice(NEURONS // 2, None), slice(WIDTH // 2))[: tensor.dim()]] = tensor
        elif name.endswith("output.dense.weight"):  # (written, heads or neurons)
            unread = (
                torch.zeros_like(tensor) if "attention" not in name else torch.ones_like(tensor)
            )
            new = torch.cat([unread, tensor], 1).repeat(2, 1)
        elif "transform.dense.weight" in name:  # (written, read)
            new = torch.cat([tensor, torch.zeros_like(tensor)], 1).repeat(2, 1)
        elif "decoder.weight" in name:  # (words, read)
            new = torch.cat([tensor, torch.zeros_like(tensor)], 1)
        elif "predictions" in name and "transform" not in name:
            new = tensor
        elif "embeddings.weight" in name:
            new = torch.cat([tensor, tensor], 1)
        else:
            new = torch.cat([tensor, tensor])
        return new

    big.load_state_dict({name: put(name) for name in weights})
    return big


@pytest.mark.parametrize("architecture", ["distilbert", "same"])
def test_of_a_teacher_that_holds_a_narrow_one_twice_the_narrow_one_is_left(architecture):
    half = {"hidden_size": WIDTH // 2, "num_attention_heads": HEADS // 2,
            "intermediate_size": NEURONS // 2}  # fmt: skip
    small = make_teacher("bert", 2, tie_word_embeddings=False, **half)
    for name, weight in small.named_parameters():
        if name.endswith("LayerNorm.weight"):
            weight.data.fill_(1.0)  # of coordinates with equal gains the first are kept
    teacher, ids = twice(small), some_ids()
    torch.testing.assert_close(logits(teacher, ids), logits(small, ids), rtol=0, atol=1e-5)
    student = narrower(teacher, WIDTH // 2, architecture=architecture)
    torch.testing.assert_close(logits(student, ids), logits(small, ids), rtol=0, atol=1e-5)


def test_the_coordinates_with_the_largest_gains_are_kept_in_their_order():
    teacher = make_teacher("bert", 1)
    kept = [1, 4, 5, 9, 11, 20, 30, 31]
    with torch.no_grad():
        for name, weight in teacher.named_parameters():
            if name.endswith("LayerNorm.weight"):
                weight.fill_(0.5)
                weight[kept] = torch.linspace(-3, -2, len(kept))
    student = narrower(teacher, len(kept), architecture="same")
    words = teacher.bert.embeddings.word_embeddings.weight
    assert torch.equal(student.bert.embeddings.word_embeddings.weight, words[:, kept])
    ours, theirs = (m.cls.predictions.transform.dense.weight for m in (student, teacher))
    assert torch.equal(ours, theirs[kept][:, kept])


def test_the_strongest_heads_and_neurons_are_kept_whole_layer_by_layer():
    teacher = make_teacher("bert", 2)
    strongest = {0: ([1, 2], [0, 3, 10]), 1: ([0, 3], [7, 8, 40])}
    with torch.no_grad():
        for number, (heads, neurons) in strongest.items():
            layer = teacher.bert.encoder.layer[number]
            for head in heads:
                layer.attention.self.value.weight[head * SIZE : (head + 1) * SIZE] *= 10
            layer.output.dense.weight[:, neurons] *= 10
    student = narrower(teacher, WIDTH // 2, architecture="same")
    for number, (heads, neurons) in strongest.items():
        theirs, ours = (m.bert.encoder.layer[number] for m in (teacher, student))
        for part in ("query", "key", "value"):
            before = getattr(theirs.attention.self, part).bias.unflatten(0, (HEADS, SIZE))
            after = getattr(ours.attention.self, part).bias.unflatten(0, (HEADS // 2, SIZE))
            assert torch.equal(after, before[heads])
        kept = set(ours.intermediate.dense.bias.tolist())
        assert set(theirs.intermediate.dense.bias[neurons].tolist()) <= kept


@pytest.mark.parametrize("architecture", ["distilbert", "same"])
@pytest.mark.parametrize("width", [8, 16, 24])
def test_a_narrower_student_has_heads_of_the_same_size_and_neurons_in_proportion(
    width, architecture
):
    student = narrower(make_teacher("bert", 2), width, architecture=architecture)
    config = student.config
    assert config.hidden_size == width
    assert config.hidden_size // config.num_attention_heads == SIZE
    neurons = config.hidden_dim if architecture == "distilbert" else config.intermediate_size
    assert neurons == NEURONS * width // WIDTH
    found = logits(student, some_ids())
    assert found.shape == (4, 12, WORDS)
    assert found.isfinite().all()


def test_the_token_type_is_folded_into_a_narrower_distilbert_too():
    teacher = make_teacher("bert", 2)
    ids = some_ids()
    two = [narrower(teacher, 16, architecture=name) for name in ("distilbert", "same")]
    one, other = (logits(student, ids) for student in two)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


# --- what cannot be had ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "width", "fault"),
    [
        ("bert", 20, "expected a multiple of 8, since .* found 20; 16 would do"),
        ("bert", 5, "expected a multiple of 8, since .* found 5; 8 would do"),
        ("bert", 40, "40, but the teacher's is 32"),
        ("roberta", 16, "16, but only a BERT can be made narrower, and the teacher is a roberta"),
        ("distilbert", 16, "16, but only a BERT .* a distilbert of width 32; leave it out"),
    ],
)
def test_a_width_that_cannot_be_had_is_refused_by_its_key(kind, width, fault):
    config = make_teacher(kind, 1).config.to_dict()
    with pytest.raises(RecipeError, match=rf"^student\.hidden_size: {fault}"):
        chosen_width(width, config)


@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_the_teachers_own_width_can_be_said_of_any_encoder(kind):
    assert chosen_width(WIDTH, make_teacher(kind, 1).config.to_dict()) == WIDTH


# --- what it is worth -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> tuple[PreTrainedModel, Tensor, Tensor]:
    """A teacher that has learnt rows that count up by 1, 2 or 3; rows with a mask; where it is."""
    generator = torch.Generator().manual_seed(0)

    def rows(count: int) -> Tensor:
        start = torch.randint(0, 50, (count, 1), generator=generator)
        step = torch.randint(1, 4, (count, 1), generator=generator)
        return 5 + (start + step * torch.arange(12)) % 50

    teacher = make_teacher("bert", 2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(250):
        ids = rows(32)
        masked = torch.rand(ids.shape, generator=generator) < 0.25
        found = teacher(input_ids=ids.masked_fill(masked, 4)).logits[masked]
        loss = torch.nn.functional.cross_entropy(found, ids[masked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 2.5, "of log 50 = 3.9 nats: it has to know something"
    ids = rows(64)
    masked = torch.rand(ids.shape, generator=generator) < 0.25
    return teacher, ids.masked_fill(masked, 4), masked


def test_a_start_of_three_quarters_is_much_nearer_to_its_teacher_than_a_random_one(trained):
    # of half the width it is not on this one, which has few coordinates and uses them all
    teacher, ids, masked = trained
    theirs = logits(teacher, ids)[masked]

    def divergence(**changes: object) -> float:
        ours = logits(narrower(teacher, 24, **changes), ids)[masked]
        return (theirs.exp() * (theirs - ours)).sum(-1).mean().item()

    assert divergence() < 0.7 * divergence(start="random")
