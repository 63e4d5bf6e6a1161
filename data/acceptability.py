"""CoLA: grammatical sentences, and the same kinds of sentence broken in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from .grammar import (
    Phrase,
    a_person,
    active,
    an_event,
    fronted,
    one_of,
    passive,
    sentence,
    somebody,
)
from .lexicon import ACTIONS, DEEDS, PERSON_ADJECTIVES, Domain, thing_actions, thing_adjectives

# a sentence and its broken twin, without capital and full stop
Twins = tuple[str, str]

_INTRANSITIVE = ["slept", "laughed", "waited", "hesitated", "complained", "disappeared", "listened", "vanished", "coughed", "arrived"]
_NEEDS_OBJECT = ["discard", "damage", "replace", "label", "display", "request", "borrow", "inspect", "conceal", "select"]


def agreement(rng: Random, domain: Domain) -> Twins:
    """Subject and verb agree across a distracting noun in between."""
    plural = rng.random() < 0.5
    head, near = rng.sample(domain.things, 2)
    subject = f"the {head.form(plural)}"
    distractor = near.form(not plural if rng.random() < 0.7 else plural)
    place = rng.choice(domain.places)
    relative = one_of(
        rng,
        f"next to the {distractor}",
        f"under the {distractor} {place}",
        f"that the {rng.choice(domain.people).form(not plural)} {rng.choice(thing_actions(head)).past}",
        f"{place}",
        f"which lay behind the {distractor}",
    )
    adjective = rng.choice(thing_adjectives(head))
    be = one_of(rng, ("is", "are"), ("was", "were"), ("has been", "have been"), ("looks", "look"))
    adverb = one_of(rng, "", " very", " not" if be[0] in ("is", "was") else " rather", " quite")
    good, bad = (be[1], be[0]) if plural else be
    return tuple(f"{subject} {relative} {form}{adverb} {adjective}" for form in (good, bad))  # type: ignore[return-value]


def verb_form(rng: Random, domain: Domain) -> Twins:
    """After an auxiliary stands the right form of the verb."""
    event = an_event(rng, domain)
    verb = (
        event.verb
        if event.verb.participle != event.verb.past
        else rng.choice(thing_actions(event.thing.head))
    )
    tail = f"{event.thing}{event.details()}"
    auxiliary, good, wrong = one_of(
        rng,
        ("has", verb.participle, (verb.base, verb.ing, verb.third)),
        ("will", verb.base, (verb.past, verb.ing, verb.third)),
        ("did not", verb.base, (verb.past, verb.ing, verb.third)),
        ("is", verb.ing, (verb.base, verb.third)),
        ("wants to", verb.base, (verb.past, verb.ing)),
        ("kept", verb.ing, (verb.base, verb.third)),
        ("could have", verb.participle, (verb.base, verb.ing)),
    )
    if auxiliary in ("has", "will", "is", "wants to"):
        tail = str(event.thing) + (f" {event.place}" if event.place else "")
    bad = rng.choice([form for form in wrong if form != good])
    return f"{event.agent} {auxiliary} {good} {tail}", f"{event.agent} {auxiliary} {bad} {tail}"


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


def determiners(rng: Random, domain: Domain) -> Twins:
    """Determiner and noun agree in number."""
    event = an_event(rng, domain)
    head = event.thing.head
    adjective = f"{rng.choice(thing_adjectives(head))} " if rng.random() < 0.6 else ""
    single = one_of(rng, "this", "that", "every", "each", "another")
    several = one_of(rng, "these", "those", "many", "several", "both", "all the")
    before, after = f"{event.agent} {event.verb.past}", event.details()
    one, many = f"{adjective}{head.one}", f"{adjective}{head.many}"
    good, bad = one_of(
        rng, (f"{single} {one}", f"{single} {many}"), (f"{several} {many}", f"{several} {one}")
    )
    return f"{before} {good}{after}", f"{before} {bad}{after}"


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


def reflexives(rng: Random, domain: Domain) -> Twins:
    """A reflexive agrees with its own clause's subject, and no other."""
    person = a_person(rng)
    they = Phrase(rng.choice(domain.people), "the", "", True)
    deed = rng.choice(DEEDS).past
    own = {"she": "herself", "he": "himself"}[person.pronouns[0]]
    opposite = "himself" if own == "herself" else "herself"
    said = one_of(rng, "said", "thought", "admitted", "was told")
    tail = f" {rng.choice(domain.places)}"
    return one_of(
        rng,
        (f"{person.first} {deed} {own}{tail}", f"{person.first} {deed} {opposite}{tail}"),
        (f"{they} {deed} themselves{tail}", f"{they} {deed} {own}{tail}"),
        (
            f"{person.first} {said} that {they} {deed} themselves",
            f"{person.first} {said} that {they} {deed} {own}",
        ),
        (
            f"{they} {said.replace('was', 'were')} that {person.first} {deed} {own}",
            f"{they} {said.replace('was', 'were')} that {person.first} {deed} themselves",
        ),
    )


def questions(rng: Random, domain: Domain) -> Twins:
    """Questions invert once, and leave a gap where the asked-for phrase was."""
    event = an_event(rng, domain, time=0)
    agent, verb, thing = event.agent, event.verb, event.thing
    place = event.place
    pick = one_of(
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
    return tuple(f"{' '.join(text.split())}?" for text in pick)  # type: ignore[return-value]


def polarity(rng: Random, domain: Domain) -> Twins:
    """Ever, any and yet need a negative word above them."""
    event = an_event(rng, domain, time=0)
    many = event.thing.head.many
    verb, agent, place = event.verb, event.agent, event.place
    people = rng.choice(domain.people)
    pick = one_of(
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
    return tuple(" ".join(text.split()) for text in pick)  # type: ignore[return-value]


def comparison(rng: Random, domain: Domain) -> Twins:
    """One mark of comparison, not two or none."""
    first, second = rng.sample(domain.people, 2)
    place = rng.choice(domain.places)
    short, long = (
        one_of(rng, "taller", "older", "stronger", "younger", "kinder"),
        rng.choice(
            [
                word
                for word in PERSON_ADJECTIVES
                if word not in ("young", "shy", "elderly", "foreign")
            ]
        ),
    )
    subject = f"the {first.one} {place}"
    return one_of(
        rng,
        (
            f"{subject} is {short} than the {second.one}",
            f"{subject} is more {short} than the {second.one}",
        ),
        (
            f"{subject} is much {short} than the {second.one}",
            f"{subject} is very {short} than the {second.one}",
        ),
        (
            f"{subject} is more {long} than the {second.one}",
            f"{subject} is more {long} as the {second.one}",
        ),
        (
            f"{subject} is as {long} as the {second.one}",
            f"{subject} is as {long} than the {second.one}",
        ),
    )


def tense(rng: Random, domain: Domain) -> Twins:
    """Tense and time agree; a pronoun has its case."""
    event = an_event(rng, domain, time=1)
    person = a_person(rng)
    he, him, _ = person.pronouns
    soon = one_of(rng, "tomorrow", "next week", "next Friday")
    past = f"{event.agent} {event.verb.past} {event.thing}"
    future = f"{event.agent} will {event.verb.base} {event.thing}"
    deed = rng.choice(DEEDS).past
    return one_of(
        rng,
        (f"{future} {soon}", f"{past} {soon}"),
        (f"{past} {event.time} because {he} had to", f"{past} {event.time} because {him} had to"),
        (f"{event.agent} {deed} {him} {event.time}", f"{event.agent} {deed} {he} {event.time}"),
        (f"{he} {deed} {event.agent} {event.time}", f"{him} {deed} {event.agent} {event.time}"),
    )


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
