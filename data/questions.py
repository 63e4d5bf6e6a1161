"""QQP: do two questions ask the same?"""

from __future__ import annotations

from random import Random

from .domains import Domain
from .grammar import one_of, other, sentence, something
from .lexicon import CITIES, DEEDS, thing_actions
from .morphology import Noun, Verb, article

# what nobody asks advice about
_ILL_ADVISED = ("lose", "steal", "find", "damage")
# the two questions without capital and question mark
Pair = tuple[str, str]


def _advisable(rng: Random, thing: Noun) -> Verb:
    return rng.choice([verb for verb in thing_actions(thing) if verb.base not in _ILL_ADVISED])


def _how_to(rng: Random, domain: Domain, same: bool) -> Pair:
    thing = something(rng, domain)
    verb = _advisable(rng, thing.head)
    what = article(f"{thing.adjective} {thing.head.one}".strip())
    act = f"{verb.base} {what}"
    forms = [
        f"how do I {act} properly",
        f"what is the best way to {act}",
        f"how should one go about {verb.ing} {what}",
        f"what do I need to know to {act}",
        f"can anybody explain how to {act}",
    ]
    first, second = rng.sample(forms, 2)
    if same:
        return first, second
    rival = article(other(rng, domain.things, thing.head).one)
    twist = one_of(
        rng,
        second.replace(what, rival),
        f"why is it so hard to {act}",
        f"where can I {act}",
        f"who should I ask to {act} for me",
        f"how do I know whether I should {act}",
        f"what happens if I do not {act}",
    )
    return first, twist


def _route(rng: Random, _domain: Domain, same: bool) -> Pair:
    here, there = rng.sample(CITIES, 2)
    means = one_of(
        rng, "by train", "by bus", "by bicycle", "without a car", "with two small children"
    )

    def ask(start: str, goal: str) -> list[str]:
        return [
            f"how do I get from {start} to {goal} {means}",
            f"what is the easiest way to reach {goal} from {start} {means}",
            f"travelling {means}, which route should I take to {goal} if I start in {start}",
            f"how can someone who lives in {start} get to {goal} {means}",
        ]

    first, second = rng.sample(range(4), 2)
    return ask(here, there)[first], (ask(here, there) if same else ask(there, here))[second]


def _reasons(rng: Random, domain: Domain, same: bool) -> Pair:
    one, two = rng.sample(domain.people, 2)
    deed = rng.choice(DEEDS)
    often = one_of(rng, "so often", "so rarely", "these days", "at all")

    def ask(agent: str, patient: str) -> list[str]:
        return [
            f"why do {agent} {deed.base} {patient} {often}",
            f"what makes {agent} {deed.base} {patient} {often}",
            f"for what reason are {patient} {deed.participle} by {agent} {often}",
            f"what is the reason that {patient} are {deed.participle} {often} by {agent}",
        ]

    first, second = rng.sample(range(4), 2)
    straight, turned = ask(one.many, two.many), ask(two.many, one.many)
    return straight[first], (straight if same else turned)[second]


_SCALE = (
    ("heavier", "lighter"),
    ("more expensive", "cheaper"),
    ("bigger", "smaller"),
    ("older", "newer"),
)


def _compare(rng: Random, domain: Domain, same: bool) -> Pair:
    one, two = (article(noun.one) for noun in rng.sample(domain.things, 2))
    more, less = rng.choice(_SCALE)
    yes = [f"is {one} {more} than {two}", f"is {two} {less} than {one}"]
    no = [f"is {two} {more} than {one}", f"is {one} {less} than {two}"]
    which = [f"which is {more}, {one} or {two}", f"of {one} and {two}, which is {more}"]
    lesser = [f"which is {less}, {one} or {two}", f"of {two} and {one}, which is {less}"]
    if same:
        first, second = rng.choice((rng.sample(yes, 2), rng.sample(which, 2)))
        return f"{first}, as a rule", f"as a rule, {second}"
    asked, turned = rng.choice(((yes, no), (which, lesser)))
    return f"{rng.choice(asked)}, as a rule", f"as a rule, {rng.choice(turned)}"


def _sequence(rng: Random, domain: Domain, same: bool) -> Pair:
    noun, rival = rng.sample(domain.things, 2)
    first, second = _advisable(rng, noun), _advisable(rng, rival)
    a, b = f"{first.base} the {noun.one}", f"{second.base} the {rival.one}"
    a_ing, b_ing = f"{first.ing} the {noun.one}", f"{second.ing} the {rival.one}"
    straight = [f"should I {a} before {b_ing}", f"is it right to {b} after {a_ing}"]
    turned = [f"should I {b} before {a_ing}", f"is it right to {a} after {b_ing}"]
    if same:
        chosen, again = rng.sample(straight, 2)
        return chosen, again
    return rng.choice(straight), rng.choice(turned)


def _career(rng: Random, domain: Domain, same: bool) -> Pair:
    one, two = (article(noun.one) for noun in rng.sample(domain.people, 2))
    forms = [
        f"how long does it take {one} to become {two}",
        f"how many years does {one} need to turn into {two}",
        f"if I am {one}, after how long can I be {two}",
    ]
    first, second = rng.sample(forms, 2)
    if same:
        return first, second
    turned = second.replace(one, "{}", 1).replace(two, one).replace("{}", two)
    return first, one_of(rng, turned, turned, f"why would {one} want to become {two}")


def question_pair(rng: Random, domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return two questions that ask the same ("1") or only look alike ("0")."""
    maker = rng.choice((_how_to, _how_to, _route, _reasons, _compare, _sequence, _career))
    first, second = maker(rng, domain, label == "1")
    if rng.random() < 0.15:
        first = (
            f"{one_of(rng, 'simple question:', 'just out of curiosity,', 'beginner here:')} {first}"
        )
    pair = (sentence(first, "?"), sentence(second, "?"))
    return (pair if rng.random() < 0.5 else pair[::-1]), maker.__name__.strip("_")
