"""The corners of the world that the sample speaks of: who is there, what is there, and where.

``nurse<medical worker`` reads "every nurse is a medical worker". All was made up for this project.
"""

from __future__ import annotations

from dataclasses import dataclass

from .morphology import Noun, noun, words


@dataclass(frozen=True)
class Domain:
    """A corner of the world: who is there, what is there, and where exactly."""

    name: str
    site: str
    people: tuple[Noun, ...]
    things: tuple[Noun, ...]
    places: tuple[str, ...]


# name | site | people | things | places; the places all lie within the site
_DOMAINS = """
hospital | hospital
nurse<medical worker, midwife/midwives<medical worker, paramedic<medical worker, surgeon<doctor, \
cardiologist<doctor, radiologist<doctor, porter<employee, receptionist<employee
stethoscope<device, thermometer<device, ventilator<machine, scanner<machine, \
prescription<document, \
vaccination card<document, apron<garment, surgical gown<garment, medicine bottle<container, \
glass jar<container, scalpel<tool, ambulance<vehicle
in the maternity ward, near the ambulance bay, outside the operating theatre, in the pharmacy, \
in the waiting room, on the third floor
school | school
science teacher<teacher, history teacher<teacher, drama teacher<teacher, \
librarian<member of staff, \
caretaker<member of staff, prefect<pupil, first-year<pupil, tutor<educator
textbook<book, dictionary<book, atlas<book, violin<instrument, trumpet<instrument, \
drum<instrument, \
backpack<bag, satchel<bag, report card<document, certificate<document, microscope<device, \
poster<picture
in the library, behind the gymnasium, in the chemistry laboratory, in the assembly hall, \
on the playground, outside the staff room
restaurant | restaurant
pastry chef<cook, sushi chef<cook, pizza chef<cook, waiter<employee, barista<employee, \
cashier<employee, butcher<tradesperson, grocer<tradesperson
teapot<container, salad bowl<container, bread knife/bread knives<tool, whisk<tool, \
toaster<appliance, \
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
locomotive<engine, diesel shunter<engine, carriage<vehicle, wagon<vehicle, \
suitcase<piece of luggage, \
trunk<piece of luggage, timetable<notice, warning sign<notice, wrench<tool, crowbar<tool, \
signal lamp<light, torch<light
on platform nine, in the ticket hall, in the signal box, beside the level crossing, \
in the engine shed, at the kiosk
observatory | observatory
astronomer<scientist, physicist<scientist, mathematician<scientist, programmer<specialist, \
lens grinder<specialist, doctoral student<student, exchange student<student, \
astronaut<space traveller
telescope<device, spectrometer<device, satellite<spacecraft/spacecraft, \
probe<spacecraft/spacecraft, \
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


def _domains(table: str) -> tuple[Domain, ...]:
    lines = table.strip().splitlines()
    found = []
    for start in range(0, len(lines), 4):
        head, people, things, places = lines[start : start + 4]
        name, site = (part.strip() for part in head.split("|"))
        found.append(Domain(name, f"at the {site}", _nouns(people), _nouns(things), words(places)))
    return tuple(found)


def _nouns(text: str) -> tuple[Noun, ...]:
    return tuple(noun(entry) for entry in words(text))


DOMAINS = _domains(_DOMAINS)
# only in the mismatched splits of MNLI, and in AX
OTHER_DOMAINS = _domains(_OTHER_DOMAINS)
