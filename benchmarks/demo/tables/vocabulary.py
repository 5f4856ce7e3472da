"""Names and words as in real data: with accents, quotes and apostrophes, and without."""

FIRST = (
    "Ada", "Amélie", "Björn", "Bruno", "Carla", "Chloé", "Daniel", "Dmitri", "Elif", "Emma", "Farid",
    "Fiona", "Gábor", "Grace", "Hana", "Hugo", "Ingrid", "Ivan", "Jana", "José", "Karim", "Lena",
    "Łukasz", "Mara", "Mateo", "Naomi", "Noah", "Olga", "Omar", "Paula", "Priya", "Quinn", "Renée",
    "Samir", "Sofia", "Søren", "Tara", "Tomás", "Uma", "Viktor", "Wanda", "Yusuf", "Zoë", "伟",
)  # fmt: skip
LAST = (
    "Abe", "Baker", "Brandt", "Castro", "Çelik", "D'Angelo", "Dubois", "Evans", "Fischer", "Fuentes",
    "García", "Großmann", "Hansen", "Ibrahim", "Jensen", "Kaya", "Keller", "Kowalski", "Lindqvist",
    "Lopez", "Łoś", "Meyer", "Moreau", "Müller", "Nakamura", "Novák", "O'Brien", "O'Neill", "Okafor",
    "Patel", "Peña", "Petrov", "Rossi", "Sato", "Silva", "Šimek", "Tanaka", "Ueda", "Vogel", "Weiß",
    "Wright", "Yılmaz", "Zhao", "李",
)  # fmt: skip
PEOPLE = tuple(f"{first} {last}" for first in FIRST for last in LAST)

CITIES = "Bergen, Brno, Łódź, Malmö, Porto, Tours, Zürich"
TOWNS = "Ashford, Évora, Gdynia, Köln, L'Aquila, Leeds"
COUNTRIES = "Brazil, China, Côte d'Ivoire, France, Japan, Poland, Spain"


def combine_words(left: str, right: str, *odd: str) -> tuple[str, ...]:
    """Combine every left word with every right word; the special names come first."""
    return (*odd, *(f"{a} {b}" for a in left.split() for b in right.split()))


BOOKS = combine_words(
    "Silent Broken Golden Hidden Last Northern Second Burning Distant Paper",
    "Harbour Garden Letters Winter Orchard River Mirror Island Bridge Clock",
    'The "Blue" Hour', "Widow's Walk", "L'Étranger", "Straße ohne Ende", "Don't Look Up", 'Notes on "Home"',
)  # fmt: skip
FILMS = combine_words(
    "Midnight Electric Lost Crimson Velvet Endless Hollow Neon Quiet",
    "Train Summer Highway Dream Circus Ocean Signal Witness Border",
    "Amélie's Secret", 'The "Perfect" Heist', "Żółty Dom", "Rosa's War", "Été Indien", "Nobody's Fool",
)  # fmt: skip
ARTWORKS = combine_words(
    "Blue Sleeping Red Standing Dancing Broken White Seated Fallen",
    "Horse Woman Moon Figure Shepherd Tree Bird Saint Fisherman",
    'Still Life with "Pears"', "Vénus", "Child's Head", "Mère et Fils", "The Miller's Daughter",
    "Großstadt",
)  # fmt: skip
EXHIBITS = combine_words(
    "Light Modern Ancient Forgotten", "Bodies Shores Masters Cities Gods",
    'Beyond "Pop"', "Women's Hands", "Art Nouveau à Nancy", "O'Keeffe and After",
)  # fmt: skip
PROJECTS = combine_words(
    "Alpha Falcon Orion Quartz Delta Lotus", "Portal Engine Audit Migration Archive Pilot",
    "Project \"X\"", "Customer's Choice", "Übergabe", "São Paulo Launch",
)  # fmt: skip
DISHES = (
    "Crème brûlée", "Shepherd's pie", "Jalapeño soup", 'Chef\'s "secret" stew', "Käsespätzle", "Pad thai",
    "Beef ragù", "Apple tart", "Miso soup", "Onion rings", "Caesar salad", "Lamb curry", "Tomato soup",
    "Rice pudding", "Grilled trout", "Lentil salad", "Pierogi", "Mushroom risotto", "Lemon sorbet",
    "Fish and chips", "Greek salad", "Chicken pho", "Chocolate cake", "Bean chili", "Potato gratin",
    "Carrot cake", "Falafel plate", "Duck confit", "Garlic bread", "Spinach quiche", "Plum dumplings",
    "Corn chowder", "Veggie burger", "Pea risotto", "Baked apple", "Tuna tartare",
)  # fmt: skip
TEAMS = (
    "Rovers", "Łódź United", "Harbour Boys", "Eintracht Süd", "St. Mary's", "Dynamo", "Königsadler",
    "Athletic", "Wanderers", "Red Lions", "Río Club", "Old Town FC", "Sailors", "Miners' Union",
    "Northern Stars", "Olympia",
)  # fmt: skip
AIRPORTS = {
    "LCJ": "Łódź", "GRU": "São Paulo", "ZRH": "Zürich", "ORY": "Paris", "OSL": "Oslo", "CAI": "Cairo",
    "LIM": "Lima", "HND": "Tokyo", "KEF": "Reykjavík", "YOW": "Ottawa", "LIS": "Lisbon", "VIE": "Vienna",
    "ORD": "Chicago O'Hare", "MLA": "Valletta", "NBO": "Nairobi", "DUB": "Dublin", "GOT": "Göteborg",
    "ATH": "Athens",
}  # fmt: skip
TAILS = tuple(f"{a}-{b}" for a in ("D", "F", "G", "PT") for b in ("ABX", "BQL", "CEV", "KLU", "NOP"))
PLANTS = combine_words(
    "Castle North Mill Stone River Fox Iron", "Point Ridge Bay Valley Hill",
    "King's Cross", "Żarnowiec", "Grünwald", "Fjärås", 'Unit "B"', "Devil's Dyke",
)  # fmt: skip
DEPARTMENTS = (
    "Sales", "R&D", "Finance", "Café", "People's Office", "Legal", "Logistics", "Data", "Öffentlichkeit",
)  # fmt: skip
STARS = combine_words(
    "Alpha Beta Gamma Delta Epsilon Zeta", "Lyrae Cygni Orionis Draconis Aquilae Tauri Leonis Hydrae",
    "Barnard's Star", "Kapteyn's Star", "Přibram 7", 'The "Demon"', "天狼",
)  # fmt: skip
TELESCOPES = (
    "Argus", "Big Eye", "Hermès", "Tycho's Glass", "Nordlicht", "Kepler II", "Šumava", "Old Refractor",
    "Iris", "Swift", "Polaris", "Meridian",
)  # fmt: skip
