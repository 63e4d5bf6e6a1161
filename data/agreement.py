"""CoLA: sentences broken in a word's form: number, tense, case, reflexives, comparison."""

from __future__ import annotations

from random import Random

from .domains import Domain
from .grammar import (
    Phrase,
    a_person,
    an_event,
    one_of,
)
from .lexicon import DEEDS, PERSON_ADJECTIVES, thing_actions, thing_adjectives
from .morphology import words

# a sentence and its broken twin, without capital and full stop
Twins = tuple[str, str]

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


def agreement(rng: Random, domain: Domain) -> Twins:
    """Subject and verb agree across a distracting noun in between."""
    plural = rng.random() < 0.5
    head, near = rng.sample(domain.things, 2)
    subject = f"the {head.form(plural)}"
    distractor = near.form(not plural if rng.random() < 0.7 else plural)
    place = rng.choice(domain.places)
    deed = rng.choice(thing_actions(head)).past
    relative = one_of(
        rng,
        f"next to the {distractor}",
        f"under the {distractor} {place}",
        f"that the {rng.choice(domain.people).form(not plural)} {deed}",
        f"{place}",
        f"which lay behind the {distractor}",
    )
    adjective = rng.choice(thing_adjectives(head))
    be = one_of(rng, ("is", "are"), ("was", "were"), ("has been", "have been"), ("looks", "look"))
    adverb = one_of(rng, "", " very", " not" if be[0] in ("is", "was") else " rather", " quite")
    good, bad = be[::-1] if plural else be
    start = f"{subject} {relative}"
    end = f"{adverb} {adjective}"
    return f"{start} {good}{end}", f"{start} {bad}{end}"


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
