"""WNLI: which of two does a pronoun mean, where one word decides."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .domains import Domain
from .grammar import a_person, sentence
from .lexicon import TIMES


@dataclass(frozen=True)
class Schema:
    """A sentence about {a} and {b} with a pronoun; ``first`` fits only {a}, ``second`` only {b}."""

    text: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    a: tuple[str, ...] = ()  # things; people when empty
    b: tuple[str, ...] = ()


# text | what fits {a} alone | what fits {b} alone | things for {a} | things for {b}
_TABLE = """
{a} asked {b} for advice because {he}
| was new to the job/had no experience
| was an expert/knew the job well

{a} could not hear {b} because {he}
| was wearing headphones/was listening to the radio
| was whispering/was speaking too softly

{a} apologised to {b} after {he}
| had broken a promise/had told a lie
| had been treated unfairly/had complained about it

{a} carried the bags for {b} because {he}
| was strong/had a free hand
| was exhausted/had hurt an arm

{a} visited {b} because {he}
| wanted to cheer up a friend/had the afternoon off
| was ill in bed/was not allowed to leave the house

{a} hired {b} because {he}
| needed an assistant/had too much work
| had good references/did well at the interview

{a} bought the van from {b} because {he}
| needed a vehicle/wanted to move house
| needed the money/no longer drove

{a} thanked {b} because {he}
| had been given a lift/had received a gift
| had offered a lift/had brought a gift

{a} lent {b} an umbrella because {he}
| had two of them/did not mind the rain
| had left home without one/was about to get wet

{a} did not vote for {b} because {he}
| preferred another candidate/distrusted all politicians
| had run a poor campaign/had made empty promises

{a} took over from {b} because {he}
| was fit again/had just come back from leave
| was injured/was about to go on leave

{a} lost the match against {b} because {he}
| played badly/made too many mistakes
| played brilliantly/made no mistakes

{a} taught {b} the song because {he}
| already knew it by heart/was a music teacher
| had never heard it before/wanted to learn it

{a} waited for {b} even though {he}
| was in a hurry/had already bought a ticket
| was always late/had missed the first bus

{a} paid {b} after {he}
| had received the invoice/had been to the bank
| had sent the invoice/had finished the work

{a} warned {b} that {he}
| might have to call the police/would not lend any more money
| might be fined/would not get any more money

the {a} could not lift the {b} because it
| was too weak/had a broken motor
| was too heavy/was made of solid granite
| crane/winch/forklift/small hoist
| statue/boulder/pillar/fountain

the {a} scratched the {b} because it
| was so sharp/had a pointed edge
| was so soft/had not been waxed
| nail/screw/chisel/needle
| table/floor/door panel/shelf

you cannot see the {a} behind the {b} because it
| is too low/is only knee-high
| is too tall/blocks the view
| bench/letter box/rose bush/kennel
| wall/hedge/barn/poster

we moved the {a} away from the {b} because it
| might catch fire/was easily burnt
| was giving off sparks/was red hot
| curtain/paper basket/straw mat/haystack
| stove/heater/bonfire/furnace

the {a} would not go through the {b} because it
| was too wide/had been built too broad
| was too narrow/had been built for children
| sofa/wardrobe/harp/billiard table
| doorway/gate/tunnel/corridor

the {a} sank the {b} because it
| had not been steered in time/was fitted with a steel bow
| had a thin hull/was built of rotten planks
| ferry/tanker/tugboat/steamer
| rowing boat/yacht/raft/dinghy

the {a} chased the {b} until it
| gave up the hunt/grew tired of running after its prey
| got away/found a safe hole
| fox/dog/cat/weasel
| rabbit/hen/mouse/squirrel

the {a} broke when it fell on the {b} because it
| was made of thin glass/was so fragile
| was made of stone/was so hard
| bottle/lamp/mirror/vase
| doorstep/pavement/anvil/hearth

we put the {a} under the {b} because it
| needed shade/could not stand the rain
| gave shade/kept off the rain
| cheese/milk churn/butter dish/ice box
| awning/oak/parasol/canopy

the {a} was stored in the {b} because it
| had to be kept cold/would have melted outside
| was cold enough/had thick walls
| fish/ice cream/medicine/butter
| cellar/cave/old mine/stone hut
"""


def _schema(entry: str) -> Schema:
    text, *lists = (part.strip() for part in entry.split("|"))
    return Schema(text, *(tuple(part.split("/")) for part in lists))


_SCHEMAS = tuple(_schema(entry) for entry in _TABLE.strip().split("\n\n"))
_OF_THINGS = tuple(schema for schema in _SCHEMAS if schema.a)
_OF_PEOPLE = tuple(schema for schema in _SCHEMAS if not schema.a)
# people are the harder half: nothing but the order of two names tells them apart
_THINGS_SHARE = 0.65
_LEADS = ("", "", "as far as we know, ", "according to {who}, ", "{when}, ")


def pronoun(rng: Random, _domain: Domain, label: str) -> tuple[tuple[str, str], str]:
    """Return a sentence and a reading of its pronoun, right ("1") or wrong ("0")."""
    schema = rng.choice(_OF_THINGS if rng.random() < _THINGS_SHARE else _OF_PEOPLE)
    if schema.a:
        names = [f"the {rng.choice(schema.a)}", f"the {rng.choice(schema.b)}"]
        filled = schema.text.format(a=names[0][4:], b=names[1][4:])
    else:
        one = a_person(rng)
        two = a_person(rng, one)
        full = rng.random() < 0.4
        names = [str(one), str(two)] if full else [one.first, two.first]
        filled = schema.text.format(a=names[0], b=names[1], he=one.pronouns[0])
    which = rng.randrange(2)
    cue = rng.choice((schema.first, schema.second)[which])
    meant = names[which if label == "1" else 1 - which]
    lead = rng.choice(_LEADS).format(who=a_person(rng), when=rng.choice(TIMES)[1])
    if "cannot" in filled:  # the present tense takes no date
        lead = ""
    premise = f"{lead}{filled} {cue}"
    return (sentence(premise), sentence(f"{meant} {cue}")), "pronoun"
