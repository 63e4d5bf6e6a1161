"""STS-B: two events that share all, some or none of their parts, and how alike that makes them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .domains import DOMAINS, Domain
from .grammar import (
    Event,
    Phrase,
    a_person,
    an_event,
    negated,
    one_of,
    other,
    sentence,
    somebody,
    something,
)
from .lexicon import DEEDS
from .pairs import a_deed, other_deed, other_time, retell

# what each part of an event weighs in likeness; together 5
_WEIGHTS = {"agent": 1.3, "verb": 1.5, "thing": 1.4, "place": 0.4, "time": 0.4}
# what is lost when agent and thing change places, and when the event is denied
_SWAPPED, _DENIED = 2.2, 1.8


def similarity(rng: Random, domain: Domain, _label: str) -> tuple[tuple[str, str], str, float]:
    """Return two sentences, what was changed, and how alike they are from 0 to 5."""
    event = a_deed(rng, domain) if rng.random() < 0.35 else an_event(rng, domain)
    source = f"according to {a_person(rng)}, " if rng.random() < 0.25 else ""
    wanted = rng.randrange(6)  # how many parts to change; 5 is another event altogether
    if wanted == 5:
        unrelated = an_event(rng, other(rng, DOMAINS, domain))
        texts = (sentence(source + retell(rng, event)), sentence(retell(rng, unrelated)))
        return texts, "unrelated", one_of(rng, 0.0, 0.0, 0.2, 0.4)
    changed, score = event, 5.0
    parts = [part for part in _WEIGHTS if getattr(event, part)]
    for part in rng.sample(parts, min(wanted, len(parts))):
        changed, share = _change(rng, domain, changed, part)
        score -= _WEIGHTS[part] * share
    second = retell(rng, changed)
    if wanted < 2 and event.verb in DEEDS and rng.random() < 0.5:
        second = retell(rng, replace(changed, agent=changed.thing, thing=changed.agent))
        score -= _SWAPPED
    elif wanted < 3 and rng.random() < 0.2:
        second = negated(changed)
        score -= _DENIED
    texts = (sentence(source + retell(rng, event)), sentence(source + second))
    return texts, f"{wanted} changed", max(score, 0.0)


def _change(rng: Random, domain: Domain, event: Event, part: str) -> tuple[Event, float]:
    """Change one part; return also how much of the part's meaning is lost, from 0 to 1."""
    if part == "verb":
        return other_deed(rng, domain, event)[1], 0.9
    if part == "time":
        if rng.random() < 0.5:
            return replace(event, time=""), 0.6
        return other_time(rng, domain, event)[1], 1.0
    if part == "place":
        if rng.random() < 0.5:
            return replace(event, place=""), 0.6
        return replace(event, place=other(rng, domain.places, event.place)), 1.0
    if part == "agent":
        agent, share = _change_phrase(rng, domain, event, event.agent, people=True)
        return replace(event, agent=agent), share
    thing, share = _change_phrase(rng, domain, event, event.thing, people=event.verb in DEEDS)
    return replace(event, thing=thing), share


def _change_phrase(
    rng: Random, domain: Domain, event: Event, phrase: Phrase, people: bool
) -> tuple[Phrase, float]:
    if phrase.head.kind and rng.random() < 0.4:
        return phrase.general(), 0.4
    choose = somebody if people else something
    return replace(choose(rng, domain, event.agent.head, event.thing.head), det=phrase.det), 0.9
