"""The words of the sample: domains with their people and things, names, verbs, adjectives, times.

Tables are text, one entry per comma; ``nurse<medical worker`` reads "every nurse is a medical
worker". All words and all facts were made up for this project.
"""

from __future__ import annotations

from dataclasses import dataclass

from .morphology import Noun, Verb, noun, verb


@dataclass(frozen=True)
class Domain:
    """A corner of the world: who is there, what is there, and where exactly."""

    name: str
    site: str
    people: tuple[Noun, ...]
    things: tuple[Noun, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """A named person; ``pronouns`` is (subject, object, possessive)."""

    first: str
    last: str
    pronouns: tuple[str, str, str]

    def __str__(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


# name | site | people | things | places; the places all lie within the site
_DOMAINS = """
hospital | hospital
nurse<medical worker, midwife/midwives<medical worker, paramedic<medical worker, surgeon<doctor, \
cardiologist<doctor, radiologist<doctor, porter<employee, receptionist<employee
stethoscope<device, thermometer<device, ventilator<machine, scanner<machine, prescription<document, \
vaccination card<document, apron<garment, surgical gown<garment, medicine bottle<container, \
glass jar<container, scalpel<tool, ambulance<vehicle
in the maternity ward, near the ambulance bay, outside the operating theatre, in the pharmacy, \
in the waiting room, on the third floor
school | school
science teacher<teacher, history teacher<teacher, drama teacher<teacher, librarian<member of staff, \
caretaker<member of staff, prefect<pupil, first-year<pupil, tutor<educator
textbook<book, dictionary<book, atlas<book, violin<instrument, trumpet<instrument, drum<instrument, \
backpack<bag, satchel<bag, report card<document, certificate<document, microscope<device, \
poster<picture
in the library, behind the gymnasium, in the chemistry laboratory, in the assembly hall, \
on the playground, outside the staff room
restaurant | restaurant
pastry chef<cook, sushi chef<cook, pizza chef<cook, waiter<employee, barista<employee, \
cashier<employee, butcher<tradesperson, grocer<tradesperson
teapot<container, salad bowl<container, bread knife/bread knives<tool, whisk<tool, toaster<appliance, \
freezer<appliance, lasagne<dish, omelette<dish, pear<fruit, pineapple<fruit, carrot<vegetable, \
onion<vegetable
in the kitchen, on the terrace, in the wine cellar, next to the bar, at the corner table, \
in the cold store
office | company
accountant<professional, lawyer<professional, architect<professional, secretary<office worker, \
typist<office worker, intern<office worker, sales manager<manager, project manager<manager
laptop<computer, desktop<computer, printer<machine, photocopier<machine, contract<document, \
invoice<document, desk<piece of furniture, armchair<piece of furniture, briefcase<bag, \
calculator<device, coffee mug<cup, stapler<tool
in the conference room, on the top floor, beside the lift, in the mail room, in the archive, \
in the canteen
farm | farm
shepherd<farm worker, ploughman<farm worker, fruit picker<farm worker, beekeeper<farmer, \
dairy farmer<farmer, poultry farmer<farmer, blacksmith<craftsman, carpenter<craftsman
tractor<vehicle, trailer<vehicle, goose/geese<bird, hen<bird, lamb<animal, pony<animal, \
pumpkin<vegetable, cabbage<vegetable, shovel<tool, rake<tool, barrel<container, bucket<container
in the barn, beside the duck pond, in the orchard, at the edge of the wheat field, in the stable, \
behind the greenhouse
market | market
jeweller<merchant, fishmonger<merchant, florist<merchant, tailor<artisan, potter<artisan, \
weaver<artisan, guitarist<musician, accordionist<musician
scarf/scarves<garment, raincoat<garment, necklace<piece of jewellery, \
bracelet<piece of jewellery, vase<ornament, figurine<ornament, melon<fruit, peach<fruit, \
bicycle<vehicle, scooter<vehicle, candle<light, lantern<light
near the fountain, at the flower stall, under the clock tower, beside the north gate, \
in the covered arcade, at the cheese counter
"""

_OTHER_DOMAINS = """
harbour | harbour
sailor<seafarer, helmsman<seafarer, ship's cook<seafarer, customs officer<official, \
coastguard<official, docker<labourer, crane operator<labourer, diver<swimmer
trawler<boat, dinghy<boat, canoe<boat, lobster<sea creature, crab<sea creature, \
octopus/octopuses<sea creature, compass<instrument, barometer<instrument, crate<container, \
oil drum<container, anchor<piece of equipment, life jacket<piece of equipment
on the pier, in the boathouse, beside the lighthouse, below deck, at the fish dock, on the quay
museum | museum
curator<expert, restorer<expert, painter<artist, sculptor<artist, archaeologist<scientist, \
geologist<scientist, tour guide<guide, audio guide author<writer
portrait<painting, seascape<painting, beetle<insect, butterfly/butterflies<insect, sword<weapon, \
dagger<weapon, manuscript<text, scroll<text, urn<vessel, goblet<vessel, tapestry<work of art, \
bronze bust<work of art
in the east wing, in the vault, in the fossil gallery, near the main staircase, in the workshop, \
behind the mosaic
railway | station
train driver<railway worker, ticket inspector<railway worker, signalman<railway worker, \
commuter<passenger, day tripper<passenger, mechanic<technician, electrician<technician, \
backpacker<traveller
locomotive<engine, diesel shunter<engine, carriage<vehicle, wagon<vehicle, suitcase<piece of luggage, \
trunk<piece of luggage, timetable<notice, warning sign<notice, wrench<tool, crowbar<tool, \
signal lamp<light, torch<light
on platform nine, in the ticket hall, in the signal box, beside the level crossing, \
in the engine shed, at the kiosk
observatory | observatory
astronomer<scientist, physicist<scientist, mathematician<scientist, programmer<specialist, \
lens grinder<specialist, doctoral student<student, exchange student<student, astronaut<space traveller
telescope<device, spectrometer<device, satellite<spacecraft/spacecraft, probe<spacecraft/spacecraft, \
meteorite<rock, lunar sample<rock, star map<chart, sky atlas<chart, antenna<receiver, \
radio dish<receiver, server<computer, workstation<computer
in the dome, in the control room, on the mountain ridge, in the data centre, on the viewing deck, \
near the solar tower
theatre | theatre
actor<performer, acrobat<performer, ventriloquist<performer, violinist<musician, pianist<musician, \
playwright<writer, lyricist<writer, stagehand<employee
cloak<garment, ball gown<garment, script<document, programme<document, cello<instrument, \
harp<instrument, puppet<toy, rocking horse<toy, spotlight<light, chandelier<light, \
trapdoor<piece of scenery, backdrop<piece of scenery
on the stage, in the orchestra pit, in the dressing room, in the foyer, on the balcony, \
behind the curtain
"""

# base[/past[/participle]] = synonym; any thing of any domain can undergo these
_ACTIONS = """
inspect=examine, buy/bought=purchase, hide/hid/hidden=conceal, choose/chose/chosen=select, \
find/found=discover, photograph=, repair=mend, discard=throw/threw/thrown away, \
damage=harm, return=bring/brought back, donate=give/gave/given away, request=ask for, \
draw/drew/drawn=sketch, lose/lost=misplace, collect=gather, borrow=, sell/sold=, weigh=, measure=, \
cover=, label=tag, steal/stole/stolen=, replace=, wrap=, deliver=, move=shift, display=exhibit, \
clean=, unload=, test=try/tried out
"""
_DEEDS = """
thank=, praise=compliment, follow=, visit=, help=assist, interview=, invite=, warn=, phone=call, \
greet=welcome, criticise=, blame=, recommend=, recognise=, consult=, train=, \
congratulate=, ignore=, trust=
"""
PERSON_ADJECTIVES = tuple(
    ["tired", "young", "cheerful", "nervous", "polite", "experienced", "impatient", "elderly", "clumsy", "ambitious", "talkative", "shy", "generous", "stubborn", "careful", "foreign"]
)
THING_ADJECTIVES = tuple(
    ["old", "heavy", "expensive", "dusty", "second-hand", "small", "unusual", "broken", "shiny", "borrowed", "valuable", "damp", "fragile", "foreign", "rusty", "modern"]
)
# what lives or is eaten takes fewer adjectives, and fewer things are done to it
_LIVING_OR_FOOD = ["dish", "fruit", "vegetable", "bird", "animal", "sea creature", "insect"]
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
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = ["January", "February", "March", "April", "June", "August", "September", "October", "November"]
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
CITIES = ["Oslo", "Lima", "Nairobi", "Kraków", "Porto", "Zürich", "Malmö", "Québec", "Hanoi", "Tbilisi", "Leeds", "Montréal", "Accra", "Lyon", "Córdoba", "Osaka", "Tromsø", "Galway", "Izmir", "Dakar"]
_SHE = ["Zoë", "Chloé", "Renée", "Siân", "Maria", "Amina", "Ingrid", "Yuki", "Beatriz", "Leila", "Hannah", "Priya", "Ágnes", "Nora"]
_HE = (
    ["José", "Łukasz", "Søren", "Jürgen", "Björn", "Omar", "Kofi", "Daniel", "Tomáš", "Rafael", "Hiroshi", "Seán", "Victor", "Ivan"]
)
LAST_NAMES = ["Okafor", "Lindqvist", "Müller", "Castaño", "O'Brien", "Novák", "Haddad", "Petrović", "Nakamura", "Silva", "Brandt", "Şahin", "Mensah", "Kowalczyk", "Moreau", "Eriksson", "Patel", "Fitzgerald", "Dvořák", "Ibáñez"]
FIRST_NAMES = {
    ("she", "her", "her"): tuple(_SHE),
    ("he", "him", "his"): tuple(_HE),
}


def _entries(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _domains(table: str) -> tuple[Domain, ...]:
    lines = table.strip().splitlines()
    found = []
    for start in range(0, len(lines), 4):
        head, people, things, places = lines[start : start + 4]
        name, site = (part.strip() for part in head.split("|"))
        nouns = (tuple(noun(entry) for entry in _entries(text)) for text in (people, things))
        found.append(Domain(name, f"at the {site}", *nouns, tuple(_entries(places))))
    return tuple(found)


def _verbs(table: str) -> tuple[Verb, ...]:
    return tuple(verb(entry) for entry in _entries(table.strip()))


DOMAINS = _domains(_DOMAINS)
OTHER_DOMAINS = _domains(_OTHER_DOMAINS)
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
