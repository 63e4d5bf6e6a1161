"""Words that all domains share: verbs, adjectives, times, towns and names of people."""

from __future__ import annotations

from dataclasses import dataclass

from .morphology import Noun, Verb, verb, words


@dataclass(frozen=True)
class Person:
    """A named person; ``pronouns`` is (subject, object, possessive)."""

    first: str
    last: str
    pronouns: tuple[str, str, str]

    def __str__(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


# base[/past[/participle]] = synonym; any thing of any domain can undergo these
_ACTIONS = """
inspect=examine, buy/bought=purchase, hide/hid/hidden=conceal, choose/chose/chosen=select, \
find/found=discover, photograph=, repair=mend, discard=throw/threw/thrown away, \
damage=, return=bring/brought back, donate=give/gave/given away, request=ask for, \
draw/drew/drawn=sketch, lose/lost=misplace, collect=gather, borrow=, sell/sold=, weigh=, measure=, \
cover=, label=tag, steal/stole/stolen=, replace=, wrap=, deliver=, move=shift, display=exhibit, \
clean=, unload=, test=try/tried out
"""
_DEEDS = """
thank=, praise=compliment, follow=, visit=, help=assist, interview=, invite=, warn=, phone=call, \
greet=welcome, criticise=, blame=, recommend=, recognise=, consult=, train=, \
congratulate=, ignore=, trust=
"""
PERSON_ADJECTIVES = words(
    """
    tired, young, cheerful, nervous, polite, experienced, impatient, elderly, clumsy,
    ambitious, talkative, shy, generous, stubborn, careful, foreign
    """
)
THING_ADJECTIVES = words(
    """
    old, heavy, expensive, dusty, second-hand, small, unusual, broken, shiny, borrowed,
    valuable, damp, fragile, foreign, rusty, modern
    """
)
# what lives or is eaten takes fewer adjectives, and fewer things are done to it
_LIVING_OR_FOOD = ("dish", "fruit", "vegetable", "bird", "animal", "sea creature", "insect")
_ADJECTIVES_FOR_ALL = ("heavy", "expensive", "small", "unusual", "valuable", "foreign")
_NOT_FOR_ALL = ("repair", "damage", "test", "borrow", "discard", "return", "replace", "label")
SAME_ADJECTIVE = {
    "expensive": "costly",
    "small": "little",
    "unusual": "strange",
    "tired": "weary",
    "cheerful": "merry",
    "nervous": "anxious",
    "second-hand": "used",
    "polite": "courteous",
    "talkative": "chatty",
    "valuable": "precious",
}
_DAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
_MONTHS = words(
    """
    January, February, March, April, June, August, September, October, November
    """
)
# (exact, and something less exact that follows from it)
TIMES = (
    *((f"on {day} {part}", f"on {day}") for day in _DAYS for part in ("morning", "afternoon")),
    *((f"in {part} {month}", f"in {month}") for month in _MONTHS for part in ("early", "late")),
    *(
        (f"in the {part} of {y}", f"in {y}")
        for y in (1987, 1998, 2009)
        for part in ("spring", "autumn")
    ),
)
CITIES = words(
    """
    Oslo, Lima, Nairobi, Kraków, Porto, Zürich, Malmö, Québec, Hanoi, Tbilisi, Leeds, Montréal,
    Accra, Lyon, Córdoba, Osaka, Tromsø, Galway, Izmir, Dakar
    """
)
_SHE = words(
    """
    Zoë, Chloé, Renée, Siân, Maria, Amina, Ingrid, Yuki, Beatriz, Leila, Hannah, Priya, Ágnes,
    Nora
    """
)
_HE = words(
    """
    José, Łukasz, Søren, Jürgen, Björn, Omar, Kofi, Daniel, Tomáš, Rafael, Hiroshi, Seán,
    Victor, Ivan
    """
)
LAST_NAMES = words(
    """
    Okafor, Lindqvist, Müller, Castaño, O'Brien, Novák, Haddad, Petrović, Nakamura, Silva,
    Brandt, Şahin, Mensah, Kowalczyk, Moreau, Eriksson, Patel, Fitzgerald, Dvořák, Ibáñez
    """
)
FIRST_NAMES = {
    ("she", "her", "her"): _SHE,
    ("he", "him", "his"): _HE,
}


def _verbs(table: str) -> tuple[Verb, ...]:
    return tuple(verb(entry) for entry in words(table))


ACTIONS = _verbs(_ACTIONS)
DEEDS = _verbs(_DEEDS)
_ACTIONS_FOR_ALL = tuple(verb for verb in ACTIONS if verb.base not in _NOT_FOR_ALL)


def thing_adjectives(thing: Noun) -> tuple[str, ...]:
    """Return the adjectives that suit a thing."""
    return _ADJECTIVES_FOR_ALL if _is_living_or_food(thing) else THING_ADJECTIVES


def thing_actions(thing: Noun) -> tuple[Verb, ...]:
    """Return what can be done to a thing."""
    return _ACTIONS_FOR_ALL if _is_living_or_food(thing) else ACTIONS


def _is_living_or_food(thing: Noun) -> bool:
    return thing.kind is not None and thing.kind.one in _LIVING_OR_FOOD
