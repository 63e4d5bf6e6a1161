"""QNLI: does the sentence answer the question? It always speaks of the same things."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .domains import Domain
from .grammar import (
    Event,
    a_person,
    active,
    an_event,
    fronted,
    one_of,
    other,
    passive,
    predicate,
    sentence,
    somebody,
    something,
)
from .lexicon import CITIES, DEEDS, LAST_NAMES, TIMES, thing_actions
from .morphology import article

# question (without its mark), a sentence that answers it, one that does not
Answer = tuple[str, str, str]


def _who(rng: Random, domain: Domain) -> Answer:
    event = an_event(rng, domain, time=1)
    place = f" {event.place}" if event.place else ""
    thing = f"the {event.thing.head.one}"
    rough = dict(TIMES)[event.time]
    question = one_of(
        rng, f"who {event.verb.past} {thing}{place}", f"by whom was {thing} {event.verb.participle}"
    )
    known = replace(event, thing=replace(event.thing, det="the"))
    return (
        question,
        one_of(rng, active(known), passive(known), fronted(known)),
        one_of(
            rng,
            f"{passive(known, by=False)}, as {event.agent} remembers",
            f"{event.agent} was away when {passive(replace(known, time=''), by=False)} {rough}",
            f"{event.agent} had been asked to {event.verb.base} {known.thing} {rough}, but refused",
            f"it was never found out who {predicate(known)}",
        ),
    )


def _when(rng: Random, domain: Domain) -> Answer:
    event = an_event(rng, domain, time=1)
    event = replace(event, thing=replace(event.thing, det="the"))
    agent, thing = event.agent.bare(), event.thing.bare()
    bare = replace(event, time="")
    elsewhere = other(rng, domain.people, event.agent.head).one
    deed = other(rng, thing_actions(thing.head), event.verb).past
    return (
        one_of(
            rng,
            f"when did {agent} {event.verb.base} {thing}",
            f"when was {thing} {event.verb.participle}",
        ),
        one_of(rng, active(event), passive(event), fronted(event)),
        one_of(
            rng,
            f"{event.time}, the {elsewhere} {deed} {thing}, which {agent} had already "
            f"{event.verb.participle} by then",
            f"{active(bare)}, and the {elsewhere} left {event.time}",
            f"{agent} promised {event.time} to {event.verb.base} {event.thing}",
            f"the {elsewhere}, who arrived {event.time}, knew that {active(bare)}",
        ),
    )


def _where(rng: Random, domain: Domain) -> Answer:
    event = an_event(rng, domain, place=1)
    event = replace(event, thing=replace(event.thing, det="the"))
    agent, thing = event.agent.bare(), event.thing.bare()
    rival = other(rng, domain.people, event.agent.head).one
    bare = replace(event, place="")
    return (
        f"where did {agent} {event.verb.base} {thing}",
        one_of(rng, active(event), passive(event)),
        one_of(
            rng,
            f"{active(bare)} while the {rival} was waiting {event.place}",
            f"the {rival} {event.place} heard that {passive(bare)}",
            f"{agent} works {event.place} and {event.verb.past} {event.thing} somewhere else",
            f"{active(bare)} before returning to the {rival} {event.place}",
        ),
    )


def _whom(rng: Random, domain: Domain) -> Answer:
    one = somebody(rng, domain)
    two = somebody(rng, domain, one.head)
    event = Event(one, rng.choice(DEEDS), two, "", rng.choice(TIMES)[0])
    turned = replace(event, agent=two, thing=one)
    question = one_of(
        rng,
        f"whom did {one.bare()} {event.verb.base}",
        f"who was {event.verb.participle} by {one.bare()}",
    )
    return (
        question,
        one_of(rng, active(event), passive(event), fronted(event)),
        one_of(rng, active(turned), passive(turned), fronted(turned)),
    )


def _biography(rng: Random, domain: Domain) -> Answer:
    who, (born, moved) = a_person(rng), rng.sample(CITIES, 2)
    year = rng.randrange(1931, 1979)
    job, rival = (article(noun.one) for noun in rng.sample(domain.people, 2))
    he, _, his = who.pronouns
    town = [
        f"{who}, who was born in {born} in {year}, moved to {moved} to work as {job}",
        f"{who} worked as {job} in {moved}, though {his} birthplace was {born}",
        f"a native of {born}, {who} came to {moved} in {year} and became {job}",
    ]
    empty = [
        f"{who} moved from {born} to {moved} in {year} to work as {job}",
        f"{who}, who had lived in {born} for years, became {job} in {moved} in {year}",
        f"{who} became {job} in {born} in {year}, and {he} was never seen in {moved}",
    ]
    trade = [
        f"before {he} became {rival}, {who} earned a living as {job} in {moved}",
        f"{who} arrived in {moved} in {year} and worked there as {job}, but wanted to be {rival}",
    ]
    no_trade = [
        f"{who} arrived in {moved} in {year} hoping to work as {job}, "
        f"and found no place as {rival} either",
        f"in {year} {job} met {who} in {moved}",
    ]
    return one_of(
        rng,
        (f"where was {who} born", rng.choice(town), rng.choice(empty)),
        (f"what did {who} do for a living in {moved}", rng.choice(trade), rng.choice(no_trade)),
    )


def _amount(rng: Random, domain: Domain) -> Answer:
    person = a_person(rng)
    rival = other(rng, LAST_NAMES, person.last)
    thing, unlike = rng.sample(domain.things, 2)
    verb = rng.choice(thing_actions(thing))
    n, m = sorted(rng.sample(range(3, 90), 2))
    when = rng.choice(TIMES)[0]
    return (
        f"how many {thing.many} did {person} {verb.base}",
        one_of(
            rng,
            f"{when}, {person} {verb.past} {n} {thing.many} and {m} {unlike.many}",
            f"{person} {verb.past} {n} of the {m} {thing.many} that {rival} owned",
            f"of the {m} {thing.many}, {n} were {verb.participle} by {person}",
        ),
        one_of(
            rng,
            f"{when}, {person} {verb.past} the {thing.many} and {n} {unlike.many}",
            f"{person} {verb.past} some of the {n} {thing.many} that {rival} owned",
            f"{rival} {verb.past} {n} {thing.many} {when}, more than {person} did",
            f"{person} {verb.past} {thing.many} for {n} days and rested for {m}",
        ),
    )


def answer(rng: Random, domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return a question and a sentence that answers it (entailment) or does not."""
    maker = rng.choice((_who, _when, _where, _whom, _biography, _amount))
    question, yes, no = maker(rng, domain)
    text = yes if label == "entailment" else no
    if rng.random() < 0.35:
        aside = something(rng, domain)
        text = one_of(
            rng,
            f"{text}, although {aside} was in the way",
            f"according to {a_person(rng)}, {text}",
            f"the records show that {text}",
        )
    return (sentence(question, "?"), sentence(text)), maker.__name__.strip("_")
