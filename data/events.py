"""Inference about events: what a sentence about who did what entails, leaves open, rules out.

Each function builds one premise with the hypotheses it entails, leaves open and contradicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from .domains import Domain
from .grammar import (
    Event,
    Phrase,
    active,
    an_event,
    cleft,
    fronted,
    negated,
    one_of,
    other,
    passive,
    predicate,
    somebody,
    something,
)
from .lexicon import DEEDS, PERSON_ADJECTIVES, TIMES, thing_actions, thing_adjectives


@dataclass(frozen=True)
class Puzzle:
    """A premise and hypotheses by their relation to it; clauses without capital and full stop."""

    premise: str
    entailment: tuple[str, ...]
    neutral: tuple[str, ...]
    contradiction: tuple[str, ...]


PuzzleMaker = Callable[[Random, Domain], Puzzle]


def details(rng: Random, domain: Domain) -> Puzzle:
    """Dropped, generalised, added and denied details of one event."""
    full = an_event(rng, domain, place=1, time=1)
    exact = full.time
    rough = dict(TIMES)[exact]
    bare = replace(full, agent=full.agent.bare(), thing=replace(full.thing.bare(), det="a"))
    loose = replace(bare, thing=full.thing.general(), place=domain.site, time=rough)
    guess = replace(bare, place="", time="", agent=_adjective(rng, full.agent, PERSON_ADJECTIVES))
    finer = replace(
        bare, thing=_adjective(rng, bare.thing, thing_adjectives(bare.thing.head)), time=""
    )
    vague = replace(full, place="", agent=full.agent.bare())
    return Puzzle(
        one_of(rng, active(full), fronted(full), passive(full), cleft(full)),
        (
            active(loose),
            passive(replace(loose, place="")),
            passive(bare, by=False),
            active(replace(bare, agent=full.agent.general(), time="")),
        ),
        (
            active(guess),
            passive(finer),
            active(replace(finer, place=domain.site)),
            f"{active(replace(bare, place=other(rng, domain.places, full.place), time=''))} too",
        ),
        (
            negated(loose),
            passive(replace(bare, time=""), no=True),
            f"nobody {predicate(loose)}",
            f"no {full.agent.head.kind.one} {full.verb.past} {bare.thing} {rough}"
            if full.agent.head.kind
            else negated(vague),
        ),
    )


def _adjective(rng: Random, phrase: Phrase, choices: Sequence[str]) -> Phrase:
    return replace(phrase, adjective=other(rng, choices, phrase.adjective))


def denied(rng: Random, domain: Domain) -> Puzzle:
    """A negated premise, under which general and specific change places."""
    event = an_event(rng, domain, time=1)
    event = replace(event, agent=event.agent.bare(), thing=replace(event.thing.bare(), det="a"))
    wide = replace(event, thing=Phrase(event.thing.head.kind or event.thing.head, "a"))
    unlike = replace(event, thing=something(rng, domain, event.thing.head))
    fine = replace(event, thing=_adjective(rng, event.thing, thing_adjectives(event.thing.head)))
    return Puzzle(
        one_of(
            rng,
            negated(replace(wide, thing=replace(wide.thing, det="any"))),
            f"at no time did {event.agent} {event.verb.base} {wide.thing}{wide.details()}",
        ),
        (negated(event), negated(fine), passive(event, no=True)),
        (
            negated(unlike),
            active(unlike),
            active(replace(event, agent=somebody(rng, domain, event.agent.head, adjective=False))),
        ),
        (active(event), active(fine), passive(wide)),
    )


def roles(rng: Random, domain: Domain) -> Puzzle:
    """Who did it to whom: the same words in another order."""
    deed = rng.choice(DEEDS)
    one = somebody(rng, domain)
    two = somebody(rng, domain, one.head)
    time = rng.choice(TIMES)[0]
    event = Event(one, deed, two, "", time)
    swapped = Event(two.bare(), deed, one.bare())
    short = event.short()
    return Puzzle(
        one_of(rng, active(event), passive(event), cleft(event), fronted(event)),
        (
            active(short),
            passive(short),
            passive(short, by=False),
            active(replace(short, agent=one.general())),
            active(Event(short.agent, deed.same or deed, two.general())),
            f"it was {one.bare()}, not {two.bare()}, who did the {deed.ing}",
        ),
        (
            active(swapped),
            passive(swapped),
            passive(swapped, by=False),
            f"{one.bare()} and {two.bare()} {deed.past} each other",
            active(replace(swapped, agent=two.general())),
        ),
        (
            negated(short),
            passive(short, no=True),
            f"{two.bare()} was never {deed.participle} by {one.bare()}",
            f"it was {two.bare()}, not {one.bare()}, who did the {deed.ing}",
        ),
    )


def order(rng: Random, domain: Domain) -> Puzzle:
    """Before and after."""
    first = an_event(rng, domain, place=0.3, time=0)
    second = replace(
        an_event(rng, domain, place=0.3, time=0), agent=somebody(rng, domain, first.agent.head)
    )
    day = rng.choice(TIMES)[1]
    one, two = active(first.short()), active(second.short())
    premise = one_of(
        rng,
        f"{day}, {active(first)} before {active(second)}",
        f"{day}, {active(second)} after {active(first)}",
        f"after {active(first)}, {active(second)} {day}",
        f"before {active(second)}, {active(first)} {day}",
    )
    return Puzzle(
        premise,
        (f"{one} before {two}", f"{two} after {one}", f"{one} first, and {two} later", one),
        (
            active(replace(second.short(), agent=first.agent.bare())),
            f"{one} because {two}",
            f"{one} before {active(_other_deed(rng, domain, second))}",
        ),
        (f"{two} before {one}", f"{one} after {two}", f"{two} first, and {one} later"),
    )


def _other_deed(rng: Random, domain: Domain, event: Event) -> Event:
    return replace(
        event.short(),
        verb=other(rng, thing_actions(event.thing.head), event.verb),
        agent=event.agent.bare(),
    )


def transfers(rng: Random, domain: Domain) -> Puzzle:
    """Selling and buying, lending and borrowing: one deal told from both ends."""
    give, take, to_end, from_end = one_of(
        rng,
        ("sold", "bought", "to", "from"),
        ("lent", "borrowed", "to", "from"),
        ("handed", "received", "to", "from"),
    )
    a = somebody(rng, domain)
    b = somebody(rng, domain, a.head)
    thing = replace(something(rng, domain), det="the")
    when = rng.choice(TIMES)[0]
    one, two, it = a.bare(), b.bare(), thing.bare()
    base = {"bought": "buy", "borrowed": "borrow", "received": "receive"}[take]
    return Puzzle(
        one_of(
            rng,
            f"{a} {give} {thing} {to_end} {b} {when}",
            f"{when}, {b} {take} {thing} {from_end} {a}",
            f"it was from {a} that {b} {take} {thing} {when}",
        ),
        (
            f"{two} {take} {it} {from_end} {one}",
            f"{one} {give} {it} {to_end} {two}",
            f"{it} went from {one} to {two}",
            f"it was {two}, not {one}, who {take} {it}",
        ),
        (
            f"{two} had wanted {it} for a long time",
            f"{one} {give} {something(rng, domain, thing.head, adjective=False)} {to_end} {two}",
            f"{two} was the first to ask {one} for {it}",
            f"{two} {take} {something(rng, domain, thing.head, adjective=False)} {from_end} {one}",
        ),
        (
            f"{two} did not {base} {it} {from_end} {one}",
            f"it was {one}, not {two}, who {take} {it}",
            f"{it} went from {two} to {one}",
        ),
    )


EVENT_PUZZLES: tuple[PuzzleMaker, ...] = (details, denied, roles, order, transfers)
