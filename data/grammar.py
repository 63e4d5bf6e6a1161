"""Events and the sentences that tell them: active, passive, negated, with or without details."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from .domains import Domain
from .lexicon import (
    FIRST_NAMES,
    LAST_NAMES,
    PERSON_ADJECTIVES,
    TIMES,
    Person,
    thing_actions,
    thing_adjectives,
)
from .morphology import Noun, Verb, article

T = TypeVar("T")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: determiner ("the", "a", "some", "no", ...), adjective, noun."""

    head: Noun
    det: str = "the"
    adjective: str = ""
    plural: bool = False

    def __str__(self) -> str:
        """The phrase as it stands inside a sentence."""
        words = f"{self.adjective} {self.head.form(self.plural)}".strip()
        if self.det == "a":
            return f"some {words}" if self.plural else article(words)
        return f"{self.det} {words}".strip()

    def bare(self) -> Phrase:
        """The same without the adjective."""
        return replace(self, adjective="")

    def general(self) -> Phrase:
        """The more general phrase that follows: the dusty atlas -> a book."""
        return Phrase(self.head.kind or self.head, "a", "", self.plural)


@dataclass(frozen=True)
class Event:
    """Somebody did something to something, somewhere, at some time."""

    agent: Phrase
    verb: Verb
    thing: Phrase
    place: str = ""
    time: str = ""

    def details(self) -> str:
        """Place and time, each with a space before it."""
        return "".join(f" {part}" for part in (self.place, self.time) if part)

    def short(self) -> Event:
        """The event without place, time and adjectives."""
        return replace(self, agent=self.agent.bare(), thing=self.thing.bare(), place="", time="")


def active(event: Event) -> str:
    """Tell the event in the active voice."""
    return f"{event.agent} {predicate(event)}"


def predicate(event: Event) -> str:
    """Tell the event without its agent."""
    return f"{event.verb.past} {event.thing}{event.details()}"


def negated(event: Event) -> str:
    """Say that the event did not happen."""
    return f"{event.agent} did not {event.verb.base} {event.thing}{event.details()}"


def passive(event: Event, by: bool = True, no: bool = False) -> str:
    """Tell the event (or, with ``no``, deny it) in the passive voice, with or without its agent."""
    be = ("were" if event.thing.plural else "was") + (" not" if no else "")
    agent = f" by {event.agent}" if by else ""
    return f"{event.thing} {be} {event.verb.participle}{agent}{event.details()}"


def fronted(event: Event) -> str:
    """Tell the event with its time first."""
    return f"{event.time}, {active(replace(event, time=''))}"


def cleft(event: Event) -> str:
    """Tell the event with stress on its agent."""
    be = "were" if event.agent.plural else "was"
    return f"it {be} {event.agent} who {predicate(event)}"


def sentence(text: str, end: str = ".") -> str:
    """Make a clause a sentence: capital letter and final stop."""
    return text[0].upper() + text[1:] + end


def one_of(rng: Random, *options: T) -> T:
    """Choose one of the arguments."""
    return rng.choice(options)


def other(rng: Random, options: Iterable[T], *than: T) -> T:
    """Choose an option that is none of ``than``."""
    return rng.choice([option for option in options if option not in than])


def a_person(rng: Random, *unlike: Person) -> Person:
    """Choose a name; of the first person's gender and all names different, if any are given."""
    pronouns = unlike[0].pronouns if unlike else rng.choice(list(FIRST_NAMES))
    first = other(rng, FIRST_NAMES[pronouns], *(person.first for person in unlike))
    last = other(rng, LAST_NAMES, *(person.last for person in unlike))
    return Person(first, last, pronouns)


def somebody(rng: Random, domain: Domain, *unlike: Noun, adjective: bool = True) -> Phrase:
    """Choose "the (tired) nurse", not of the kinds of ``unlike``."""
    kinds = [noun.kind for noun in unlike]
    head = rng.choice([noun for noun in domain.people if noun.kind not in kinds])
    chosen = rng.choice(PERSON_ADJECTIVES) if adjective and rng.random() < 0.5 else ""
    return Phrase(head, "the", chosen)


def something(rng: Random, domain: Domain, *unlike: Noun, adjective: bool = True) -> Phrase:
    """Choose "a (dusty) atlas" or "the atlas", not of the kinds of ``unlike``."""
    kinds = [noun.kind for noun in unlike]
    head = rng.choice([noun for noun in domain.things if noun.kind not in kinds])
    chosen = rng.choice(thing_adjectives(head)) if adjective and rng.random() < 0.5 else ""
    return Phrase(head, one_of(rng, "a", "the"), chosen)


def an_event(rng: Random, domain: Domain, place: float = 0.7, time: float = 0.7) -> Event:
    """Choose an event; ``place`` and ``time`` are the probabilities that it has one."""
    thing = something(rng, domain)
    return Event(
        somebody(rng, domain),
        rng.choice(thing_actions(thing.head)),
        thing,
        rng.choice(domain.places) if rng.random() < place else "",
        rng.choice(TIMES)[0] if rng.random() < time else "",
    )
