"""SST-2: opinions whose words point one way and whose sentence may point the other."""

from __future__ import annotations

from random import Random

from .grammar import a_person, one_of, other
from .morphology import article, words

_THINGS = {
    "film": ("plot", "cast", "camera work", "ending", "dialogue", "soundtrack", "opening scene"),
    "novel": ("prose", "plot", "last chapter", "dialogue", "main character", "pacing", "ending"),
    "album": ("melodies", "lyrics", "production", "second half", "drumming", "title song", "voice"),
    "play": ("staging", "lead actor", "dialogue", "second act", "lighting", "script", "ending"),
    "series": ("plot", "cast", "pilot episode", "humour", "finale", "writing", "pacing"),
    "restaurant": ("service", "menu", "dessert", "wine list", "atmosphere", "soup", "bread"),
    "exhibition": ("layout", "lighting", "catalogue", "selection", "last room", "audio guide"),
    "documentary": ("narration", "interviews", "music", "research", "editing", "ending"),
}
_PLURAL = ("melodies", "lyrics", "interviews")
_GOOD = words(
    """
    brilliant, charming, moving, clever, delightful, gripping, funny, fresh, elegant,
    inventive, warm, graceful, memorable, superb, witty, thoughtful, touching, lively,
    dazzling, satisfying
    """
)
_BAD = words(
    """
    dull, clumsy, boring, tedious, shallow, predictable, awful, lifeless, sloppy, confusing,
    bland, annoying, forgettable, pretentious, dreadful, stale, tiresome, feeble, messy,
    disappointing
    """
)
_LOVE = ("enjoyed", "loved", "admired", "treasured", "was captivated by", "laughed happily through")
_HATE = ("disliked", "hated", "regretted", "was bored by", "suffered through", "was let down by")
_WHO = ("my sister", "the critic beside me", "a friend", "everyone around me", "our neighbour")


def sentiment(rng: Random, _domain: object, label: str) -> tuple[tuple[str], str]:
    """Return an opinion that is good ("1") or bad ("0"), in SST's lower-case style."""
    makers = (_plain, _negated, _contrast, _unreal, _comparison, _attributed, _denied_flaw, _mixed)
    maker = rng.choice(makers)
    text = maker(rng, label == "1")
    if rng.random() < 0.25:
        text = (
            f"{one_of(rng, 'in the end', 'all in all', 'to be honest', 'on reflection')} , {text}"
        )
    elif rng.random() < 0.12:
        text = f"{text} , writes {str(a_person(rng)).lower()}"
    return (f"{text} .",), maker.__name__.strip("_")


def _words_of(good: bool) -> tuple[str, ...]:
    return _GOOD if good else _BAD


def _topic(rng: Random) -> tuple[str, str, str]:
    thing = rng.choice(list(_THINGS))
    part = rng.choice(_THINGS[thing])
    return thing, part, "are" if part in _PLURAL else "is"


def _plain(rng: Random, good: bool) -> str:
    thing, part, be = _topic(rng)
    one, two = rng.sample(_words_of(good), 2)
    return one_of(
        rng,
        f"{article(one)} and {two} {thing}",
        f"the {part} {be} {one} from start to finish , and the rest no less {two}",
        f"never has {article(thing)} been so {one}",
        f"it is hard to imagine a more {one} {thing}",
    )


def _negated(rng: Random, good: bool) -> str:
    thing, part, be = _topic(rng)
    word = rng.choice(_words_of(not good))
    return one_of(
        rng,
        f"the {part} of this {thing} {be} anything but {word}",
        f"nobody could call this {thing} {word}",
        f"there is nothing {word} about this {thing} or its {part}",
        f"not for a moment {be} the {part} {word}",
        f"this {thing} is far from {word}",
        f"i have yet to find {article(thing)} that is less {word}",
    )


def _contrast(rng: Random, good: bool) -> str:
    thing, part, be = _topic(rng)
    minor, major = rng.choice(_words_of(not good)), rng.choice(_words_of(good))
    return one_of(
        rng,
        f"although the {part} {be} {minor} , the {thing} as a whole is {major}",
        f"the {part} {be} {minor} , but that does not keep the {thing} from being {major}",
        f"{article(major)} {thing} in spite of its {minor} {part}",
        f"what begins as {article(minor)} {thing} turns out to be {major}",
        f"you forget the {minor} {part} , because the {thing} is so {major}",
    )


def _unreal(rng: Random, good: bool) -> str:
    thing, part, _be = _topic(rng)
    word = rng.choice(_words_of(not good))
    wish = rng.choice(_words_of(good))
    if good:
        return one_of(
            rng,
            f"the {thing} could easily have been {word} , and yet it is not",
            f"we expected {article(word)} {thing} and were proved wrong",
            f"i feared that the {part} would be {word} ; i need not have worried",
            f"with a weaker {part} this {thing} would have been {word} , not {wish}",
        )
    return one_of(
        rng,
        f"the {thing} could easily have been {word} , and yet it is not",
        f"we expected {article(word)} {thing} and were proved wrong",
        f"i hoped that the {part} would be {word} ; i should have known better",
        f"with a stronger {part} this {thing} would have been {word} , not {wish}",
    )


def _comparison(rng: Random, good: bool) -> str:
    thing, part, _be = _topic(rng)
    praised, blamed = rng.choice(_GOOD), rng.choice(_BAD)
    rival = other(rng, _THINGS, thing)
    return one_of(
        rng,
        f"the {rival} was {blamed if good else praised} , which cannot be said of this {thing}",
        f"next to this {thing} , even {article(praised if good else blamed)} {rival} would seem "
        f"{blamed if good else praised} by comparison",
        f"unlike the {blamed if good else praised} {rival} it is based on , this {thing} works"
        if good
        else f"unlike the {praised} {rival} it is based on , this {thing} does not work",
        f"i would trade any {praised} {rival} for this {thing} and its {part}"
        if good
        else f"i would trade this {thing} and its {part} for any {blamed} {rival}",
    )


def _attributed(rng: Random, good: bool) -> str:
    thing, part, _be = _topic(rng)
    who = rng.choice(_WHO)
    theirs, word = rng.choice(_LOVE if not good else _HATE), rng.choice(_words_of(not good))
    mine = rng.choice(_LOVE if good else _HATE)
    return one_of(
        rng,
        f"{who} {theirs} this {thing} , but i {mine} it",
        f"i {mine} this {thing} , whatever others say about its {word} {part}",
        f"{who} called the {thing} {word} , and i could not disagree more",
        f"those who find this {thing} {word} are mistaken",
    )


def _denied_flaw(rng: Random, good: bool) -> str:
    thing, part, _be = _topic(rng)
    same, opposite = rng.choice(_words_of(good)), rng.choice(_words_of(not good))
    return one_of(
        rng,
        f"the {part} may be {opposite} ; the {thing} itself is {same}",
        f"the {thing} is neither {opposite} nor {rng.choice(_words_of(not good))}",
        f"not {opposite} , as i had been told , but {same}",
        f"to call this {thing} {opposite} would be unfair ; {same} is the word"
        if good
        else f"to call this {thing} {opposite} would be too kind ; {same} is the word",
    )


def _mixed(rng: Random, good: bool) -> str:
    thing, part, be = _topic(rng)
    one, two = rng.choice(_GOOD), rng.choice(_BAD)
    return one_of(
        rng,
        f"for every {two if good else one} minute there are ten {one if good else two} ones",
        f"the {part} {be} more {one if good else two} than {two if good else one}",
        f"less {two if good else one} than {one if good else two} , this {thing} "
        f"{'stays' if good else 'fades'}",
        f"the {thing} stopped being {two if good else one} once the {part} got going",
    )
