"""Inference from small words and constructions: managing, knowing, or, only, unless, than."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .domains import Domain
from .events import Puzzle, PuzzleMaker
from .grammar import (
    Event,
    a_person,
    active,
    an_event,
    negated,
    one_of,
    passive,
    predicate,
    somebody,
    something,
)
from .morphology import article

_IMPLICATIVES = {
    "entailment": ("managed to", "remembered to", "did not hesitate to", "went on to"),
    "neutral": ("planned to", "was asked to", "wanted to", "agreed to", "had every reason to"),
    "contradiction": ("failed to", "forgot to", "refused to", "did not manage to", "declined to"),
}


def implicatives(rng: Random, domain: Domain) -> Puzzle:
    """What managing, forgetting, wanting and refusing say about the deed."""
    event = an_event(rng, domain)
    truth = rng.choice(list(_IMPLICATIVES))
    lead = rng.choice(_IMPLICATIVES[truth])
    premise = f"{event.agent} {lead} {event.verb.base} {event.thing}{event.details()}"
    if event.time and rng.random() < 0.3:
        premise = f"{event.time}, {premise.removesuffix(' ' + event.time)}"
    short = event.short()
    did = (active(short), passive(short), active(replace(short, agent=event.agent.general())))
    did_not = (negated(short), passive(short, no=True))
    if truth == "entailment":
        return Puzzle(premise, did[:2], _elsewhere(rng, domain, event), did_not)
    if truth == "contradiction":
        here = replace(event, agent=event.agent.bare())
        kept = (negated(here), passive(here, no=True))
        return Puzzle(premise, kept, _elsewhere(rng, domain, event), (active(here), passive(here)))
    return Puzzle(premise, (), did + did_not, ())


def _elsewhere(rng: Random, domain: Domain, event: Event) -> tuple[str, ...]:
    """Claims about another agent or another thing, which the event leaves open."""
    agent = somebody(rng, domain, event.agent.head, adjective=False)
    thing = something(rng, domain, event.thing.head, adjective=False)
    short = event.short()
    return (
        active(replace(short, agent=agent)),
        active(replace(short, thing=thing)),
        negated(replace(short, agent=agent)),
        passive(replace(short, thing=thing), no=True),
    )


def connectives(rng: Random, domain: Domain) -> Puzzle:
    """And, or, neither ... nor, only, if."""
    event = an_event(rng, domain, place=0.5, time=0.5)
    event = replace(event, thing=event.thing.bare())
    one = event.agent.bare()
    two = somebody(rng, domain, one.head, adjective=False)
    tail = predicate(event)
    short = predicate(event.short())
    base = f"{event.verb.base} {event.thing.bare()}"
    did, did_not = (
        (f"{one} {short}", f"{two} {short}"),
        (
            f"{one} did not {base}",
            f"{two} did not {base}",
        ),
    )
    other_thing = something(rng, domain, event.thing.head, adjective=False)
    open_claims = (
        f"{one} {event.verb.past} {other_thing}",
        f"{two} did not {event.verb.base} {other_thing}",
    )
    return rng.choice(
        (
            Puzzle(f"both {one} and {two} {tail}", did, open_claims, did_not),
            Puzzle(
                f"either {one} or {two} {tail}, but it is not known which",
                (f"{one} or {two} {short}", f"{_gerund(event)} was the work of {one} or {two}"),
                did + did_not,
                (f"neither {one} nor {two} {short}",),
            ),
            Puzzle(f"neither {one} nor {two} {tail}", did_not, open_claims, did)
            if event.place == event.time == ""
            else Puzzle(f"not only {one} but also {two} {tail}", did, open_claims, did_not),
            Puzzle(
                f"only {one}, and not {two}, {tail}",
                (did[0], f"{two} was not among those who {short}")
                if not event.details()
                else (did[0], f"{one} {tail}"),
                open_claims,
                (did_not[0], f"{two} {tail}", f"both {one} and {two} {tail}"),
            ),
            Puzzle(
                f"unless {two} helps out, {one} will have to {base} alone",
                (f"if {two} does not help out, {one} will have to {base}",),
                (f"{two} will help out", f"{one} will have to {base}", f"{two} will not help out"),
                (f"{one} need not {base} even if {two} does not help out",),
            ),
        )
    )


def _gerund(event: Event) -> str:
    """Name the event as a thing: "repairing the fence"."""
    return f"{event.verb.ing} {event.thing.bare()}"


_SCALES = (
    ("taller", "shorter", True),
    ("older", "younger", True),
    ("stronger", "weaker", True),
    ("more patient", "less patient", True),
    ("heavier", "lighter", False),
    ("more expensive", "cheaper", False),
    ("older", "newer", False),
    ("bigger", "smaller", False),
)


def comparisons(rng: Random, domain: Domain) -> Puzzle:
    """More and less, over one step or two."""
    more, less, people = rng.choice(_SCALES)
    nouns = domain.people if people else domain.things
    a, b, c = (f"the {noun.one}" for noun in rng.sample(nouns, 3))
    place = f" {rng.choice(domain.places)}"
    chain = rng.random() < 0.5
    if chain:
        premise = one_of(
            rng,
            f"{a}{place} is {more} than {b}, who is {more} than {c}"
            if people
            else f"{a}{place} is {more} than {b}, which is {more} than {c}",
            f"{b} is {less} than {a} but {more} than {c}",
            f"{c}{place} is {less} than {b}, and {b} is {less} than {a}",
        )
        return Puzzle(
            premise,
            (f"{a} is {more} than {c}", f"{c} is {less} than {a}", f"{b} is not the {_most(less)}"),
            (f"{a} is much {more} than {b}", f"{c} is only slightly {less} than {b}"),
            (
                f"{c} is {more} than {a}",
                f"{a} is {less} than {c}",
                f"{c} is as {_plain(more)} as {a}",
            ),
        )
    premise = one_of(
        rng,
        f"{a}{place} is {more} than {b}",
        f"compared with {a}{place}, {b} is {less}",
        f"{b} is not as {_plain(more)} as {a}{place}",
    )
    return Puzzle(
        premise,
        (f"{b} is {less} than {a}", f"{a} is {more} than {b}", f"{a} is not {less} than {b}"),
        (f"{a} is {more} than {c}", f"{c} is {less} than {b}", f"{b} is {more} than {c}"),
        (f"{b} is {more} than {a}", f"{a} is {less} than {b}", f"{a} is as {_plain(less)} as {b}"),
    )


_PLAIN = {
    "taller": "tall",
    "shorter": "short",
    "older": "old",
    "younger": "young",
    "stronger": "strong",
    "weaker": "weak",
    "heavier": "heavy",
    "lighter": "light",
    "more expensive": "expensive",
    "cheaper": "cheap",
    "newer": "new",
    "bigger": "big",
    "smaller": "small",
    "more patient": "patient",
    "less patient": "impatient",
}


def _plain(comparative: str) -> str:
    return _PLAIN[comparative]


def _most(comparative: str) -> str:
    if comparative.startswith(("more ", "less ")):
        return (
            {"more": "most", "less": "least"}[comparative[:4]] + comparative[4:] + " of the three"
        )
    return comparative[:-1] + "st of the three"


def attitudes(rng: Random, domain: Domain) -> Puzzle:
    """Knowing is of facts; believing, hoping and saying are not."""
    event = an_event(rng, domain, place=0.4, time=0.4)
    witness = a_person(rng)
    short = event.short()
    did, did_not = (active(short), passive(short)), (negated(short), passive(short, no=True))
    factive = rng.random() < 0.5
    lead = (
        one_of(
            rng, "knew", "was not aware", "regretted", "was pleased", "found out", "had forgotten"
        )
        if factive
        else one_of(rng, "believed", "said", "was told", "hoped", "suspected", "did not believe")
    )
    premise = f"{witness}, {article(rng.choice(domain.people).one)}, {lead} that {active(event)}"
    if factive:
        return Puzzle(premise, did, _elsewhere(rng, domain, event), did_not)
    return Puzzle(premise, (), did + did_not, ())


REASONING_PUZZLES: tuple[PuzzleMaker, ...] = (implicatives, connectives, comparisons, attitudes)
