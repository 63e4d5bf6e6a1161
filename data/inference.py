"""MNLI, AX and RTE, drawn from the puzzles about events, small words and quantifiers."""

from __future__ import annotations

from random import Random

from .domains import Domain
from .events import EVENT_PUZZLES, Puzzle, details, transfers
from .grammar import a_person, an_event, one_of, sentence
from .lexicon import CITIES, TIMES
from .morphology import article
from .quantifiers import QUANTIFIER_PUZZLES, numbers, same_group
from .reasoning import REASONING_PUZZLES, attitudes, implicatives

# the plainer ones are drawn more often, so that a few hundred rows suffice to learn something
_PLAINER = (details, details, implicatives, attitudes, transfers, same_group, numbers)
PUZZLES = (*EVENT_PUZZLES, *REASONING_PUZZLES, *QUANTIFIER_PUZZLES, *_PLAINER)


def _hypothesis(rng: Random, puzzle: Puzzle, *relations: str) -> str | None:
    fitting = [text for relation in relations for text in getattr(puzzle, relation)]
    return rng.choice(fitting) if fitting else None


def three_way(rng: Random, domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return a premise and a hypothesis in the wanted relation."""
    hypothesis = None
    while hypothesis is None:
        maker = rng.choice(PUZZLES)
        puzzle = maker(rng, domain)
        hypothesis = _hypothesis(rng, puzzle, label)
    premise = puzzle.premise
    if rng.random() < 0.2:
        premise = one_of(rng, "to be precise, ", "as you may have heard, ", "so, ") + premise
    return (sentence(premise), sentence(hypothesis)), maker.__name__


def two_way(rng: Random, domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return a text of two or three sentences and a hypothesis that follows from it or does not."""
    relations = ("entailment",) if label == "entailment" else ("neutral", "contradiction")
    hypothesis = None
    while hypothesis is None:
        maker = rng.choice((*PUZZLES, _profile, _profile, _profile))
        puzzle = maker(rng, domain)
        hypothesis = _hypothesis(rng, puzzle, rng.choice(relations))
    sentences = [sentence(puzzle.premise), _aside(rng, domain)]
    if rng.random() < 0.35:
        sentences.append(_aside(rng, domain))
    rng.shuffle(sentences)
    return (" ".join(sentences), sentence(hypothesis)), maker.__name__.strip("_")


def _aside(rng: Random, domain: Domain) -> str:
    """Say something that bears on no puzzle: people by name, never "the nurse"."""
    who = a_person(rng)
    event = an_event(rng, domain, time=1)
    thing, when = event.thing.head.many, dict(TIMES)[event.time]
    return sentence(
        one_of(
            rng,
            f"a spokesman, {who}, declined to comment {when}",
            f"{when}, prices of {thing} in {rng.choice(CITIES)} rose by "
            f"{rng.randrange(2, 19)} per cent",
            f"{who}, who comes from {rng.choice(CITIES)}, was told about it only {when}",
            f"visitors to {rng.choice(CITIES)} are still talking about {thing}",
            f"the weather {when} was worse than {who} had expected",
            f"a local newspaper carried a long story about {thing} {when}",
        )
    )


def _profile(rng: Random, domain: Domain) -> Puzzle:
    """A life in one sentence: jobs, towns and years, and what follows about them."""
    who = a_person(rng)
    rival = a_person(rng, who)
    job, past_job = (noun.one for noun in rng.sample(domain.people, 2))
    born, home = rng.sample(CITIES, 2)
    year = rng.randrange(1951, 2009)
    he, _, his = who.pronouns
    return one_of(
        rng,
        Puzzle(
            f"{who}, {article(job)} who left {born} for {home} in {year}, succeeded {rival}",
            (
                f"{rival} was succeeded by {who}",
                f"{who} works as {article(job)}",
                f"{who} once lived in {born}",
                f"{who} moved to {home} in {year}",
            ),
            (
                f"{who} was born in {home} in {year}",
                f"{rival} works as {article(job)}",
                f"{rival} once lived in {born}",
            ),
            (f"{who} was succeeded by {rival}", f"{who} left {home} for {born} in {year}"),
        ),
        Puzzle(
            f"{who} gave up {his} work as {article(past_job)} in {born} "
            f"to become {article(job)} in {home}",
            (
                f"{who} used to be {article(past_job)}",
                f"{who} no longer works as {article(past_job)}",
                f"{who} went to {home} as {article(job)}",
            ),
            (f"{who} was born in {born}", f"{who} had been {article(job)} in {born}"),
            (
                f"{who} used to be {article(job)} in {born}",
                f"{who} still works as {article(past_job)}",
            ),
        ),
        Puzzle(
            f"{who} told {rival} that {he} had never been to {born}, and so the two met in {home}",
            (f"{who} met {rival} in {home}", f"{rival} was told something by {who}"),
            (f"{rival} had never been to {born}", f"{who} was born in {home}"),
            (f"{who} and {rival} met in {born}", f"{who} and {rival} have never met"),
        ),
    )
