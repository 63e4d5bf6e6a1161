"""MRPC and STS-B: two tellings of one event, or of events that differ a little or a lot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .domains import DOMAINS, Domain
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
    something,
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
        _deed(rng, domain) if rng.random() < 0.45 else an_event(rng, domain, place=0.8, time=0.9)
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
            rng, f"{source}, the {role}, {verb} that {first}", f"{first}, {source} {verb}"
        )
        again = one_of(rng, *_SAID)
        second = one_of(rng, f"according to {source}, {second}", f"{source} {again} that {second}")
    return (sentence(first), sentence(second)), twist


def _deed(rng: Random, domain: Domain) -> Event:
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


def _other_time(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    if not event.time:
        return _other_thing(rng, domain, event)
    return "other time", replace(
        event, time=other(rng, TIMES, (event.time, dict(TIMES)[event.time]))[0]
    )


def _other_deed(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    verbs = DEEDS if event.verb in DEEDS else thing_actions(event.thing.head)
    return "other deed", replace(event, verb=other(rng, verbs, event.verb))


def _denied(rng: Random, domain: Domain, event: Event) -> tuple[str, Event]:
    return "denied", event


_TWISTS = (_swapped, _swapped, _other_agent, _other_thing, _other_time, _other_deed, _denied)

# what each part of an event weighs in likeness; together 5
_WEIGHTS = {"agent": 1.3, "verb": 1.5, "thing": 1.4, "place": 0.4, "time": 0.4}


def similarity(rng: Random, domain: Domain, _label: str) -> tuple[tuple[str, str], str, float]:
    """Return two sentences, what was changed, and how alike they are from 0 to 5."""
    event = (
        _deed(rng, domain) if rng.random() < 0.35 else an_event(rng, domain, place=0.6, time=0.6)
    )
    wanted = rng.randrange(6)  # how many parts to change; 5 is another event altogether
    if wanted == 5:
        second = an_event(rng, other(rng, DOMAINS, domain), place=0.6, time=0.6)
        return (_told(rng, event), _told(rng, second)), "unrelated", one_of(rng, 0.0, 0.0, 0.2, 0.4)
    changed, score = event, 5.0
    parts = [part for part in _WEIGHTS if getattr(event, part)]
    for part in rng.sample(parts, min(wanted, len(parts))):
        changed, share = _change(rng, domain, changed, part)
        score -= _WEIGHTS[part] * share
    texts = (_told(rng, event), _told(rng, changed))
    if wanted in (0, 1) and event.verb in DEEDS and rng.random() < 0.5:
        changed, score = replace(changed, agent=changed.thing, thing=changed.agent), score - 2.2
        texts = (texts[0], _told(rng, changed))
    elif wanted < 3 and rng.random() < 0.2:
        texts, score = (texts[0], sentence(negated(changed))), score - 1.8
    return texts, f"{wanted} changed", max(score, 0.0)


def _told(rng: Random, event: Event) -> str:
    return sentence(retell(rng, event))


def _change(rng: Random, domain: Domain, event: Event, part: str) -> tuple[Event, float]:
    """Change one part; return also how much of the part's meaning is lost, from 0 to 1."""
    if part in ("place", "time"):
        if rng.random() < 0.5:
            return replace(event, **{part: ""}), 0.6
        if part == "place":
            return replace(event, place=other(rng, domain.places, event.place)), 1.0
        return _other_time(rng, domain, event)[1], 1.0
    if part == "verb":
        return _other_deed(rng, domain, event)[1], 0.9
    phrase: Phrase = getattr(event, part)
    if phrase.head.kind and rng.random() < 0.4:
        return replace(event, **{part: phrase.general()}), 0.4
    pool = somebody if part == "agent" or event.verb in DEEDS else something
    heads = (event.agent.head, event.thing.head)
    return replace(event, **{part: replace(pool(rng, domain, *heads), det=phrase.det)}), 0.9
