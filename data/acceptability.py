"""CoLA: sentences broken in the order of words or in what stands with what; the task itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .agreement import Twins, agreement, comparison, determiners, reflexives, tense, verb_form
from .domains import Domain
from .grammar import (
    a_person,
    active,
    an_event,
    fronted,
    one_of,
    passive,
    sentence,
    somebody,
)
from .lexicon import ACTIONS, DEEDS, thing_adjectives
from .morphology import words

_INTRANSITIVE = words(
    """
    slept, laughed, waited, hesitated, complained, disappeared, listened, vanished, coughed,
    arrived
    """
)
_NEEDS_OBJECT = words(
    """
    discard, damage, replace, label, display, request, borrow, inspect, conceal, select
    """
)


def word_order(rng: Random, domain: Domain) -> Twins:
    """One word out of its place."""
    event = an_event(rng, domain)
    adjective = rng.choice(thing_adjectives(event.thing.head))
    event = replace(event, thing=replace(event.thing, adjective=adjective))
    noun = event.thing.head.one
    good = one_of(
        rng, active(event), passive(event), fronted(event) if event.time else active(event)
    )
    moved = good.replace(f"{adjective} {noun}", f"{noun} {adjective}", 1)
    thing = str(event.thing)
    late = f"{event.agent} {thing} {event.verb.past}{event.details()}"
    return good, one_of(rng, moved, late if good == active(event) else moved)


def adverbs(rng: Random, domain: Domain) -> Twins:
    """An adverb does not come between a verb and its object, nor before the article's noun."""
    event = an_event(rng, domain)
    adverb = one_of(rng, "quickly", "carefully", "secretly", "never", "often", "quietly", "gladly")
    verb, tail = event.verb.past, event.details()
    if " " in verb:
        verb = rng.choice(DEEDS).past
        event = replace(event, thing=somebody(rng, domain, event.agent.head))
    bad = one_of(
        rng,
        f"{event.agent} {verb} {adverb} {event.thing}{tail}",
        f"the {adverb} {str(event.agent)[4:]} {verb} {event.thing}{tail}",
    )
    return f"{event.agent} {adverb} {verb} {event.thing}{tail}", bad


def arguments(rng: Random, domain: Domain) -> Twins:
    """A verb that needs an object, or one that takes none."""
    event = an_event(rng, domain, place=1)
    past = rng.choice(_INTRANSITIVE)
    needy = replace(event, verb=rng.choice([v for v in ACTIONS if v.base in _NEEDS_OBJECT]))
    other = replace(event, thing=somebody(rng, domain, event.agent.head))
    return one_of(
        rng,
        (active(needy), f"{event.agent} {needy.verb.past}{event.details()}"),
        (
            f"{event.agent} {past}{event.details()}",
            f"{event.agent} {past} {other.thing}{event.details()}",
        ),
        (
            f"{event.agent} gave {other.thing} {event.thing}{event.details()}",
            f"{event.agent} donated {other.thing} {event.thing}{event.details()}",
        ),
    )


def questions(rng: Random, domain: Domain) -> Twins:
    """Questions invert once, and leave a gap where the asked-for phrase was."""
    event = an_event(rng, domain, time=0)
    agent, verb, thing = event.agent, event.verb, event.thing
    place = event.place
    good, bad = one_of(
        rng,
        (f"what did {agent} {verb.base} {place}", f"what did {agent} {verb.base} {thing} {place}"),
        (f"where did {agent} {verb.base} {thing}", f"where {agent} did {verb.base} {thing}"),
        (f"who {verb.past} {thing} {place}", f"who did {verb.past} {thing} {place}"),
        (
            f"why has {agent} {verb.participle} {thing}",
            f"why {agent} has {verb.participle} {thing}",
        ),
        (f"does {agent} {verb.base} {thing} often", f"does {agent} {verb.third} {thing} often"),
    )
    return f"{_spaced(good)}?", f"{_spaced(bad)}?"


def polarity(rng: Random, domain: Domain) -> Twins:
    """Ever, any and yet need a negative word above them."""
    event = an_event(rng, domain, time=0)
    many = event.thing.head.many
    verb, agent, place = event.verb, event.agent, event.place
    people = rng.choice(domain.people)
    good, bad = one_of(
        rng,
        (
            f"{agent} has not {verb.participle} {event.thing} yet",
            f"{agent} has {verb.participle} {event.thing} yet",
        ),
        (f"nobody {place} {verb.past} any {many}", f"everybody {place} {verb.past} any {many}"),
        (
            f"no {people.one} has ever {verb.participle} {event.thing}",
            f"the {people.one} has ever {verb.participle} {event.thing}",
        ),
        (
            f"few {people.many} have ever {verb.participle} any {many}",
            f"many {people.many} have ever {verb.participle} any {many}",
        ),
        (
            f"{agent} did not {verb.base} any {many} at all",
            f"{agent} {verb.past} some {many} at all",
        ),
        (
            f"{agent} has already {verb.participle} {event.thing}",
            f"{agent} has ever {verb.participle} {event.thing}",
        ),
        (
            f"everybody {place} {verb.past} some {many} today",
            f"everybody {place} {verb.past} much {many} today",
        ),
    )
    return _spaced(good), _spaced(bad)


def _spaced(text: str) -> str:
    """Close the gap that an empty place leaves."""
    return " ".join(text.split())


_MAKERS: tuple[Callable[[Random, Domain], Twins], ...] = (
    agreement,
    agreement,
    verb_form,
    word_order,
    adverbs,
    determiners,
    arguments,
    reflexives,
    questions,
    polarity,
    comparison,
    tense,
)


def acceptability(rng: Random, domain: Domain, label: str) -> tuple[tuple[str], str]:
    """Return a sentence that is acceptable ("1") or not ("0"), and what it tests."""
    maker = rng.choice(_MAKERS)
    text = maker(rng, domain)[0 if label == "1" else 1]
    if rng.random() < 0.15 and not text.endswith("?"):
        start = one_of(
            rng, "we heard that", "it seems that", f"{a_person(rng)} thinks that", "I know that"
        )
        text = f"{start} {text}"
    return (sentence(text, "" if text.endswith("?") else "."),), maker.__name__
