"""Inference with quantifiers and numbers: all, most, few, no, at least five.

Every group spoken of is taken to be large and not empty, as readers take it.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .domains import Domain
from .events import Puzzle, PuzzleMaker
from .grammar import Phrase, one_of, other
from .lexicon import PERSON_ADJECTIVES, TIMES, thing_actions, thing_adjectives
from .morphology import Verb, article, words

# quantifier: what it entails and what it rules out about the same group and the same deed
_RELATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "all": (("some", "most", "several", "more than half"), (), ("none", "few", "not all")),
    "most": (("some", "several"), ("all", "all but one"), ("none", "few", "hardly any")),
    "some": (("one or more",), ("all", "most", "few", "only two"), ("none",)),
    "few": (("not all", "not many"), ("exactly two",), ("all", "most", "nearly all")),
    "not all": (("fewer than all",), ("most", "exactly two", "few"), ("all",)),
    "none": (("not all", "not even one"), (), ("some", "most", "several", "at least one")),
    "hardly any": (("few", "not all"), ("exactly two",), ("all", "most", "many")),
    "nearly all": (("most", "some", "many"), ("all but two",), ("few", "none", "hardly any")),
}


def _of(quantifier: str, people: Phrase) -> str:
    return f"{quantifier} of the {replace(people, det='')}"


def same_group(rng: Random, domain: Domain) -> Puzzle:
    """One quantifier against another, and against a neighbouring group."""
    people = _people(rng, domain)
    unlike = Phrase(
        rng.choice([n for n in domain.people if n.kind != people.head.kind]), "", "", True
    )
    thing, verb, tail = _deed(rng, domain)
    deed = f"{verb.past} {thing}"
    quantifier = rng.choice(list(_RELATIONS))
    entailed, neutral, ruled_out = _RELATIONS[quantifier]
    return Puzzle(
        one_of(
            rng,
            f"{_of(quantifier, people)} {tail} {deed}",
            f"{_of(quantifier, people)} {tail} {deed} {rng.choice(TIMES)[0]}",
        ),
        tuple(f"{_of(q, people)} {tail} {deed}" for q in entailed),
        (
            *(f"{_of(q, people)} {tail} {deed}" for q in neutral),
            f"{_of(rng.choice(entailed), unlike)} {tail} {deed}",
            f"{_of(rng.choice(ruled_out), unlike)} {tail} {deed}",
        ),
        tuple(f"{_of(q, people)} {tail} {deed}" for q in ruled_out),
    )


def _people(rng: Random, domain: Domain) -> Phrase:
    adjective = rng.choice(PERSON_ADJECTIVES) if rng.random() < 0.4 else ""
    return Phrase(rng.choice(domain.people), "", adjective, True)


def _deed(rng: Random, domain: Domain) -> tuple[Phrase, Verb, str]:
    thing = Phrase(rng.choice(domain.things), "a", "", False)
    return thing, rng.choice(thing_actions(thing.head)), rng.choice(domain.places)


def restrictors(rng: Random, domain: Domain) -> Puzzle:
    """Upward and downward: which way an adjective or a more general noun may go."""
    head = rng.choice(domain.people)
    kind = head.kind or head
    adjective, rival = rng.sample(PERSON_ADJECTIVES, 2)
    thing, verb, place = _deed(rng, domain)
    place = f"{place}{one_of(rng, '', ' ' + rng.choice(TIMES)[0])}"
    deed = f"{verb.past} {thing} {place}"
    narrow, plain, wide = f"{adjective} {head.one}", head.one, kind.one
    sideways = f"{rival} {head.one}"
    return rng.choice(
        (
            Puzzle(
                f"every {plain} {deed}",
                (f"every {narrow} {deed}", f"no {plain} failed to {verb.base} {thing} {place}"),
                (f"every {wide} {deed}", f"no {wide} failed to {verb.base} {thing} {place}"),
                (
                    f"no {narrow} {deed}",
                    f"at least one {plain} did not {verb.base} {thing} {place}",
                ),
            ),
            Puzzle(
                f"every {narrow} {deed}",
                (f"at least one {plain} {deed}", f"at least one {wide} {deed}"),
                (f"every {plain} {deed}", f"every {sideways} {deed}", f"no {sideways} {deed}"),
                (f"no {plain} {deed}", f"no {wide} {deed}", f"no {narrow} {deed}"),
            ),
            Puzzle(
                f"no {plain} {deed}",
                (f"no {narrow} {deed}", f"it is not the case that {article(plain)} {deed}"),
                (f"no {wide} {deed}", f"at least one {wide} {deed}"),
                (f"at least one {narrow} {deed}", f"some {sideways} {deed}"),
            ),
            Puzzle(
                f"no {narrow} {deed}",
                (f"not every {plain} {deed}", f"not every {wide} {deed}"),
                (f"no {plain} {deed}", f"no {sideways} {deed}", f"some {sideways} {deed}"),
                (f"every {plain} {deed}", f"at least one {narrow} {deed}", f"every {wide} {deed}"),
            ),
        )
    )


def objects(rng: Random, domain: Domain) -> Puzzle:
    """The same on the side of the thing: instruments and violins under all, some and no."""
    people = Phrase(rng.choice(domain.people), "", "", True)
    head = rng.choice(domain.things)
    kind = head.kind or head
    adjective = rng.choice(thing_adjectives(head))
    verb = rng.choice(thing_actions(head))
    place = rng.choice(domain.places)
    plain, narrow, wide = head.many, f"{adjective} {head.many}", kind.many
    unlike = other(rng, [n for n in domain.things if n.kind != head.kind]).many
    who = f"the {people}"
    return rng.choice(
        (
            Puzzle(
                f"{who} {verb.past} all the {plain} {place}",
                (f"{who} {verb.past} all the {narrow} {place}", f"{who} {verb.past} some {wide}"),
                (f"{who} {verb.past} all the {wide} {place}", f"{who} {verb.past} some {unlike}"),
                (f"{who} {verb.past} none of the {plain} {place}", f"{who} {verb.past} no {wide}"),
            ),
            Puzzle(
                f"{who} {verb.past} no {wide} {place}",
                (f"{who} {verb.past} no {plain} {place}", f"{who} {verb.past} no {narrow} {place}"),
                (f"{who} {verb.past} no {unlike} {place}", f"{who} {verb.past} some {unlike}"),
                (f"{who} {verb.past} some {plain} {place}", f"{who} {verb.past} {narrow} {place}"),
            ),
            Puzzle(
                f"{who} {verb.past} some {narrow} {place}",
                (f"{who} {verb.past} some {plain} {place}", f"{who} {verb.past} some {wide}"),
                (f"{who} {verb.past} all the {wide} {place}", f"{who} {verb.past} no {unlike}"),
                (f"{who} {verb.past} no {plain} {place}", f"{who} {verb.past} no {wide} {place}"),
            ),
            Puzzle(
                f"{who} {verb.past} no {plain} {place}",
                (
                    f"{who} {verb.past} no {narrow} {place}",
                    f"{who} did not {verb.base} any {plain} {place}",
                ),
                (f"{who} {verb.past} no {wide} {place}", f"{who} {verb.past} some {wide} {place}"),
                (
                    f"{who} {verb.past} some {narrow} {place}",
                    f"{who} {verb.past} all the {plain} {place}",
                ),
            ),
        )
    )


_NUMERALS = words(
    """
    two, three, four, five, six, seven, eight, nine, ten, eleven, twelve
    """
)


def numbers(rng: Random, domain: Domain) -> Puzzle:
    """At least, at most, exactly, sums."""
    people = rng.choice(domain.people)
    noun = rng.choice(domain.things)
    verb = rng.choice(thing_actions(noun))
    tail = f"{rng.choice(domain.places)} {rng.choice(TIMES)[0]}"
    n = rng.randrange(2, 8)  # index into _NUMERALS with room on both sides

    def claim(bound: str, number: int) -> str:
        return f"the {people.one} {verb.past} {bound} {_NUMERALS[number]} {noun.many}".replace(
            "  ", " "
        )

    low, high = rng.randrange(0, n), rng.randrange(n + 1, len(_NUMERALS))
    return rng.choice(
        (
            Puzzle(
                f"{claim('exactly', n)} {tail}",
                (claim("at least", low), claim("fewer than", high), claim("more than", low)),
                (f"{claim('exactly', n)} and nothing else", f"{claim('exactly', n)} too quickly"),
                (claim("at least", high), claim("more than", high), claim("fewer than", low)),
            ),
            Puzzle(
                f"{claim('at least', n)} {tail}",
                (claim("more than", low), claim("at least", low)),
                (claim("at least", high), claim("fewer than", high), claim("exactly", high)),
                (claim("fewer than", low), claim("at most", low), claim("exactly", low)),
            ),
            Puzzle(
                f"{claim('at most', n)} {tail}",
                (claim("fewer than", high), claim("at most", high)),
                (claim("at least", low), claim("exactly", low), claim("fewer than", low)),
                (claim("at least", high), claim("more than", high), claim("exactly", high)),
            ),
        )
    )


QUANTIFIER_PUZZLES: tuple[PuzzleMaker, ...] = (same_group, restrictors, objects, numbers)
