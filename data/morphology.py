"""English word forms: plurals, verb forms, articles."""

from __future__ import annotations

from dataclasses import dataclass

_VOWEL_LETTERS = "aeiou"
# a consonant sound in spite of the letter
_NOT_VOWEL_SOUNDS = ("used", "uni", "one", "European")


@dataclass(frozen=True)
class Noun:
    """A countable noun; ``kind`` is a more general noun, or None at the top."""

    one: str
    many: str
    kind: Noun | None = None

    def form(self, plural: bool) -> str:
        """Return the plural or the singular."""
        return self.many if plural else self.one


@dataclass(frozen=True)
class Verb:
    """A verb's forms; ``same`` means the same, or is None."""

    base: str
    third: str
    past: str
    participle: str
    ing: str
    same: Verb | None = None


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated table into its entries."""
    return tuple(part.strip() for part in text.split(","))


def noun(entry: str) -> Noun:
    """Read ``one[/many][<kind>]``."""
    word, _, kind = entry.partition("<")
    one, _, many = word.partition("/")
    return Noun(one, many or _plural(one), noun(kind) if kind else None)


def verb(entry: str) -> Verb:
    """Read ``base[/past[/participle]][ particle][=synonym]``."""
    word, _, same = entry.partition("=")
    head, _, particle = word.partition(" ")
    base, *irregular = head.split("/")
    past = irregular[0] if irregular else _add_ed(base)
    tail = f" {particle}" if particle else ""
    return Verb(
        base=base + tail,
        third=_add_s(base) + tail,
        past=past + tail,
        participle=(irregular[-1] if irregular else past) + tail,
        ing=_add_ing(base) + tail,
        same=verb(same) if same else None,
    )


def article(phrase: str) -> str:
    """Put "a" or "an" before a phrase."""
    first = phrase.lower()
    vowel = first[0] in _VOWEL_LETTERS and not first.startswith(_NOT_VOWEL_SOUNDS)
    return f"{'an' if vowel else 'a'} {phrase}"


def _plural(one: str) -> str:
    if " of " in one:
        head, tail = one.split(" of ", 1)
        return f"{_plural(head)} of {tail}"
    if one.endswith("man"):
        return one[:-3] + "men"
    if one.endswith("person"):
        return one[:-6] + "people"
    return _add_s(one)


def _ends_in_consonant_y(word: str) -> bool:
    return word.endswith("y") and word[-2] not in _VOWEL_LETTERS


def _add_s(word: str) -> str:
    if _ends_in_consonant_y(word):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "z")) else "s")


# only these words of the lexicon double their last letter
_DOUBLED = {"wrap": "wrapp", "label": "labell", "tag": "tagg"}


def _add_ed(base: str) -> str:
    if _ends_in_consonant_y(base):
        return base[:-1] + "ied"
    return base + "d" if base.endswith("e") else _DOUBLED.get(base, base) + "ed"


def _add_ing(base: str) -> str:
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    return _DOUBLED.get(base, base) + "ing"
