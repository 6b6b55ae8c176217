"""Made-up data of each kind, to try a recipe with; nothing is taken from a corpus."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from seq2see.text.turns import NUM_TURNS, written_turns

Row = tuple[str, ...]
"""The columns of a line."""


def words(text: str) -> list[str]:
    """What is between blanks."""
    return text.split()


def table(sources: str, targets: str) -> dict[str, str]:
    """The words of one text by those of another."""
    return dict(zip(words(sources), words(targets), strict=True))


NOUNS = table("dog cat house tree book horse bird boat", "hundo kato domo arbo libro ĉevalo birdo boato")
ADJECTIVES = table("big small old new black white good", "granda malgranda maljuna nova nigra blanka bona")
VERBS = table("sees wants draws finds buys loves", "vidas volas desegnas trovas aĉetas amas")
PEOPLE = words("Anna Ben Carla David Emma Felix Greta Hugo")
ROOMS = words("kitchen garden office bathroom bedroom hallway")
DAYS = words("Monday Tuesday Wednesday Thursday Friday")
TOPICS = ("the budget", "the new office", "our website", "the summer party", "the delivery", "the contract")
MODERN = words(
    "upon love have give over every never even evil very under until us use house mouse people year day way boy joy "
    "king long strong song stone bone home time wine fire wide side life wife night light right sight might soul foul"
)
"""Words whose older spelling follows from rules."""
CONSONANTS, VOWELS = words("b d f g k l m n p r s t v z"), words("a e i o u")
CYRILLIC = table("б д ж к л м н п р с т ч ш а о у и е я ю", "b d zh k l m n p r s t ch sh a o u i e ya yu")
SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""Which of seven strokes the digits 0 to 9 have: a to f clockwise from the top, g in the middle."""


def translations(rng: random.Random) -> Iterator[Row]:
    """English and Esperanto, whose adjectives agree with their nouns in the accusative."""

    def phrase(ending: str) -> tuple[str, str]:
        (adjective, its), (noun, own) = rng.choice(list(ADJECTIVES.items())), rng.choice(list(NOUNS.items()))
        article = rng.choice(("the", "a"))
        return f"{article} {adjective} {noun}", f"{'la ' * (article == 'the')}{its}{ending} {own}{ending}"

    while True:
        (subject, its), (found, own) = phrase(""), phrase("n")
        verb, action = rng.choice(list(VERBS.items()))
        yield f"{subject} {verb} {found} .", f"{its} {action} {own} ."


def summaries(rng: random.Random) -> Iterator[Row]:
    """Mails and their subjects."""
    while True:
        first, second = rng.sample(PEOPLE, 2)
        topic, (day, other), hour = rng.choice(TOPICS), rng.sample(DAYS, 2), rng.randint(8, 17)
        text, subject = rng.choice(
            (
                (
                    f"we have to move the meeting about {topic} from {day} to {other} at {hour}.",
                    f"{topic}: now {other} at {hour}",
                ),
                (f"the meeting about {topic} on {day} at {hour} is cancelled.", f"{topic}: {day} cancelled"),
                (f"could you send me what you have about {topic} before {day} at {hour}?", f"{topic}: needed by {day}"),
            )
        )
        closing = rng.choice(
            ("Please tell the others.", "Thank you for your patience.", "I am in the office until noon.")
        )
        yield f"Dear {first}, {text} {closing} Best regards, {second}", subject


def questions(rng: random.Random) -> Iterator[Row]:
    """Who went where, and where somebody is now."""
    while True:
        people = rng.sample(PEOPLE, 3)
        moves = [(rng.choice(people), rng.choice(ROOMS)) for _ in range(rng.randint(2, 5))]
        who = rng.choice([person for person, _ in moves])
        story = " ".join(
            f"{person} {rng.choice(('went', 'moved', 'walked'))} to the {room} ." for person, room in moves
        )
        yield story, f"where is {who} ?", dict(moves)[who]


def chats(rng: random.Random) -> Iterator[Row]:
    """A shop that is asked for its opening hours, its goods, and a name that was said before."""
    goods = {"apples": "2", "pears": "3", "plums": "4", "cherries": "7"}
    while True:
        name, (thing, price) = rng.choice(PEOPLE), rng.choice(list(goods.items()))
        greeting = rng.choice((f"hello , i am {name}", f"good morning , my name is {name}", f"hi , {name} here"))
        turns = [greeting, f"hello {name} , what can i do for you ?"]
        price_asked = rng.choice((f"how much are the {thing} ?", f"what do {thing} cost ?"))
        turns += [price_asked, f"the {thing} are {price} euros a kilo , {name} ."]
        turns += [rng.choice(("thank you , bye", "thanks , see you")), f"goodbye {name} !"]
        for place in range(0, len(turns), 2):
            yield written_turns(turns[max(0, place - NUM_TURNS) : place]), turns[place], turns[place + 1]


def captions(rng: random.Random) -> Iterator[Row]:
    """Sums of digits, which `picture_of` draws."""
    for number in range(1_000_000):
        terms = [str(rng.randint(0, 9)) for _ in range(rng.randint(1, 3))]
        yield f"pictures/{number:04}.pgm", " + ".join(terms)


def pronunciations(rng: random.Random) -> Iterator[Row]:
    """Words of a language that is spelled somewhat as Italian is."""
    onsets = {
        **{each: each for each in ["b", "d", "f", "l", "m", "n", "p", "r", "s", "t", "v"]},
        **{"ch": "k", "gh": "ɡ", "gn": "ɲ", "sc": "ʃ", "c": "tʃ", "g": "dʒ"},
    }
    for parts in endless(rng, list(onsets), VOWELS):
        letters, phones = "", []
        for onset, vowel in parts:
            is_back = vowel in "aou"
            written = {"ch": "c", "gh": "g", "c": "ci", "g": "gi", "sc": "sci"}.get(onset, onset) if is_back else onset
            letters += written + vowel
            phones += [onsets[onset], vowel]
        yield letters, " ".join(phones)


def inflections(rng: random.Random) -> Iterator[Row]:
    """Nouns whose endings follow the last vowel of the stem, as in languages with vowel harmony."""
    for parts in endless(rng, CONSONANTS, VOWELS):
        stem = "".join(map("".join, parts)) + rng.choice(CONSONANTS)
        a, i = ("a", "ı") if parts[-1][1] in "aou" else ("e", "i")
        plural, case = (
            rng.choice((("SG", ""), ("PL", f"l{a}r"))),
            rng.choice((("NOM", ""), ("ACC", i), ("DAT", a), ("LOC", f"d{a}"), ("ABL", f"d{a}n"))),
        )
        yield stem, f"N;{case[0]};{plural[0]}", stem + plural[1] + case[1]


def normalizations(rng: random.Random) -> Iterator[Row]:
    """Words as they might have been spelled in the 17th century, and as they are today."""
    while True:
        modern = (
            rng.choice(("", "", "un", "over", "under", "up"))
            + rng.choice(MODERN)
            + rng.choice(("", "", "s", "ly", "ful"))
        )
        old = modern.replace("v", "u")
        old = ("v" + old[1:] if old[0] == "u" else old).replace("ai", "ay")
        old = old[:-1].replace("s", "ſ") + old[-1]
        if rng.random() < 0.5 and old[-1] not in "eſs":
            old += "e"
        yield old.replace("i", "y") if rng.random() < 0.3 else old, modern


def transliterations(rng: random.Random) -> Iterator[Row]:
    """Names in Cyrillic and in Latin letters; е is ye at the beginning and after a vowel."""
    letters = list(CYRILLIC)
    for parts in endless(rng, letters[:13], letters[13:]):
        name = "".join(map("".join, parts))
        name = name[1:] if rng.random() < 0.3 else name
        latin = [CYRILLIC[letter] for letter in name]
        for place, letter in enumerate(name):
            if letter == "е" and (place == 0 or name[place - 1] in "аоуиеяю"):
                latin[place] = "ye"
        yield name.capitalize(), "".join(latin).capitalize()


def endless(rng: random.Random, onsets: list[str], vowels: list[str]) -> Iterator[list[tuple[str, str]]]:
    """Words of two to four syllables."""
    syllables = list(product(onsets, vowels))
    while True:
        yield [rng.choice(syllables) for _ in range(rng.randint(2, 4))]


def picture_of(text: str, rng: random.Random) -> bytes:
    """A sum of digits as a gray picture in the PGM format, in strokes that are not quite straight."""
    characters = text.split()
    drawn = np.zeros((24, 14 * len(characters) + 4), np.uint8)

    def line(x: int, y: int, to_x: int, to_y: int) -> None:
        steps = max(abs(to_x - x), abs(to_y - y))
        for step in range(steps + 1):
            row, column = y + (to_y - y) * step // steps, x + (to_x - x) * step // steps
            drawn[row : row + 2, column : column + 2] = 255

    for place, character in enumerate(characters):
        left, top = 14 * place + rng.randint(2, 4), rng.randint(2, 5)
        right, bottom, middle = left + 7, top + 14, top + 7
        if character == "+":
            line(left, middle, right, middle)
            line(left + 3, middle - 4, left + 3, middle + 4)
            continue
        ends = {
            **{"a": (left, top, right, top), "b": (right, top, right, middle), "c": (right, middle, right, bottom)},
            **{"d": (left, bottom, right, bottom), "e": (left, middle, left, bottom), "f": (left, top, left, middle)},
            "g": (left, middle, right, middle),
        }
        for stroke in SEGMENTS[int(character)]:
            x, y, to_x, to_y = ends[stroke]
            line(x + rng.randint(0, 1), y, to_x, to_y + rng.randint(0, 1))
    return b"P5 %d %d 255\n" % drawn.shape[::-1] + drawn.tobytes()


MAKERS: dict[str, Callable[[random.Random], Iterator[Row]]] = {
    "translation": translations,
    "summary": summaries,
    "questions": questions,
    "chat": chats,
    "captions": captions,
    "pronunciation": pronunciations,
    "inflection": inflections,
    "normalization": normalizations,
    "transliteration": transliterations,
}
"""By recipe."""


def made_up(kind: str, count: int, *, seed: int) -> list[Row]:
    """Distinct lines of that kind; the sources differ too."""
    found: dict[Row, Row] = {}
    for row in MAKERS[kind](random.Random(seed)):
        found.setdefault(row[:-1], row)
        if len(found) == count:
            break
    return list(found.values())
