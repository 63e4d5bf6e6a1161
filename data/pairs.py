"""MRPC: two tellings of one event, or of two events that differ in one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .domains import Domain
from .grammar import (
    Event,
    Phrase,
    a_person,
    active,
    an_event,
    cleft,
    fronted,
    negated,
    one_of,
    other,
    passive,
    sentence,
    somebody,
)
from .lexicon import DEEDS, SAME_ADJECTIVE, TIMES, thing_actions

_SAID = ("said", "told reporters", "announced", "confirmed", "reported")


def retell(rng: Random, event: Event) -> str:
    """Tell the event in one of four word orders, with synonyms where there are any."""
    verb = event.verb.same if event.verb.same and rng.random() < 0.5 else event.verb
    event = replace(
        event, verb=verb, agent=_synonym(rng, event.agent), thing=_synonym(rng, event.thing)
    )
    tellings: list[Callable[[Event], str]] = [active, passive, cleft]
    if event.time:
        tellings.append(fronted)
    return rng.choice(tellings)(event)


def _synonym(rng: Random, phrase: Phrase) -> Phrase:
    same = SAME_ADJECTIVE.get(phrase.adjective, "")
    return replace(phrase, adjective=same) if same and rng.random() < 0.6 else phrase


def paraphrase(rng: Random, domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return two news sentences that say the same ("1") or not quite ("0")."""
    event = (
        a_deed(rng, domain) if rng.random() < 0.45 else an_event(rng, domain, place=0.8, time=0.9)
    )
    twist = "same"
    told = event
    if label == "0":
        twist, told = rng.choice(_TWISTS)(rng, domain, event)
    source = a_person(rng)
    role = rng.choice(domain.people).one
    first, second = retell(rng, event), retell(rng, told)
    if twist == "denied":
        second = negated(told)
    if rng.random() < 0.55:
        verb = one_of(rng, *_SAID)
        first = one_of(
            rng, f"{source}, a local {role}, {verb} that {first}", f"{first}, {source} {verb}"
        )
        again = one_of(rng, *_SAID)
        second = one_of(rng, f"according to {source}, {second}", f"{source} {again} that {second}")
    return (sentence(first), sentence(second)), twist


def a_deed(rng: Random, domain: Domain) -> Event:
    """Choose an event between two people."""
    agent = somebody(rng, domain)
    patient = somebody(rng, domain, agent.head)
    place = rng.choice(domain.places) if rng.random() < 0.6 else ""
    return Event(agent, rng.choice(DEEDS), patient, place, rng.choice(TIMES)[0])


def _swapped(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    if event.verb not in DEEDS:
        return _other_agent(rng, domain, event)
    return "swapped", replace(event, agent=event.thing, thing=event.agent)


def _other_agent(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    head = other(rng, domain.people, event.agent.head, event.thing.head)
    return "other agent", replace(event, agent=replace(event.agent, head=head))


def _other_thing(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    nouns = domain.people if event.verb in DEEDS else domain.things
    head = other(rng, nouns, event.thing.head, event.agent.head)
    return "other thing", replace(event, thing=replace(event.thing, head=head))


def other_time(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    """Put another time in the time's place, or another thing if there is no time."""
    if not event.time:
        return _other_thing(rng, domain, event)
    return "other time", replace(
        event, time=other(rng, TIMES, (event.time, dict(TIMES)[event.time]))[0]
    )


def other_deed(rng: Random, _domain: Domain, event: Event) -> tuple[str, Event]:
    """Put another deed of the same sort in the deed's place."""
    verbs = DEEDS if event.verb in DEEDS else thing_actions(event.thing.head)
    return "other deed", replace(event, verb=other(rng, verbs, event.verb))


def _denied(_rng: Random, _domain: Domain, event: Event) -> tuple[str, Event]:
    return "denied", event


_TWISTS = (_swapped, _swapped, _other_agent, _other_thing, other_time, other_deed, _denied)
