"""The steps of a schedule, made from a seed; each is a line of text that can be run again."""

import random
from typing import NamedTuple

KEYS = "abcd"
CONTRACTS = ("test.happened.v1", "test.happened.v1", "test.happened.v1", "test.noted.v1", "test.unbound.v1")
RELAYS = ("relay 0", "relay 1")
WRITERS = 3
SLOW: tuple[tuple[str, ...], ...] = ((), (), (), ("both.0",), ("both.0", "both.1"), ("one.0",), ("stranger",))
QUEUES = ("both.0", "both.1", "one.0", "stranger")


class Step(NamedTuple):
    """What happens next: the name of a method of `Run`, and its arguments."""

    name: str
    arguments: tuple[object, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, *map(repr, self.arguments)))


def made(seed: int, count: int) -> list[Step]:
    """So many steps."""
    choice = random.Random(seed)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    # Each schedule has more of some faults, and leaves out some of the others.
    theme = choice.choice(THEMES)
    factors = {name: 5 if name in theme else choice.choice((0, 0, 1)) for name in FAULTS}
    weights = [weight * factors.get(name, 1) for name, weight in zip(names, weights, strict=True)]
    start = [Step("start", (RELAYS[0],))]
    return start + [step(choice, name) for name in choice.choices(names, weights, k=count)]


def made_with_stops(seed: int, count: int) -> list[Step]:
    """The same, in which relays are told to stop instead of killed."""
    return [step._replace(name="stop") if step.name == "kill" else step for step in made(seed, count)]


WEIGHTS = {
    "write": 16,
    "touch": 4,
    "commit": 11,
    "roll_back": 2,
    "stranger": 1,
    "run": 40,
    "take": 12,
    "store": 4,
    "confirm": 12,
    "start": 2,
    "kill": 1,
    "cut_session": 1,
    "cut_channel": 1,
    "sleep": 2,
    "go_on": 1,
    "suspend": 1,
    "resume": 1,
    "fill": 1,
    "empty": 1,
    "bind": 1,
    "flush": 1,
    "crash": 1,
}
FAULTS = ("kill", "cut_session", "cut_channel", "suspend", "fill", "crash", "stranger", "touch", "go_on")
THEMES = (("kill", "touch"), ("suspend", "go_on"), ("fill", "cut_channel"), ("crash", "cut_session"), ("stranger",))


def step(choice: random.Random, name: str) -> Step:
    match name:
        case "write":
            keys = "".join(choice.choices(KEYS, k=choice.choice((1, 1, 1, 2, 5))))
            return Step(name, (choice.randrange(WRITERS), keys, choice.choice(CONTRACTS)))
        case "touch" | "roll_back":
            return Step(name, (choice.randrange(WRITERS),))
        case "commit":
            return Step(name, (choice.randrange(WRITERS), choice.random() < 0.5))
        case "run":
            return Step(name, (choice.choice(RELAYS), choice.randrange(3), choice.choice((1, 1, 2, 3, 5, 10))))
        case "take":
            return Step(name, (choice.randrange(3), choice.choice((1, 2, 9)), choice.choice(SLOW)))
        case "store":
            return Step(name, (choice.choice(QUEUES), choice.choice((1, 9))))
        case "confirm":
            return Step(
                name, (choice.randrange(3), choice.choice((1, 2, 9)), choice.choice(("multiple", "last", "first")))
            )
        case "start" | "kill" | "cut_session":
            return Step(name, (choice.choice(RELAYS),))
        case "cut_channel":
            return Step(name, (choice.choice(RELAYS), choice.randrange(3)))
        case "sleep":
            return Step(name, (choice.choice((0.01, 0.06, 0.3, 1.1, 4.0)),))
        case "go_on":
            return Step(name, (choice.choice((0.1, 2.5, 5.0)),))
        case "suspend" | "resume" | "fill" | "empty":
            return Step(name, (choice.choice(QUEUES),))
        case "crash":
            return Step(name, (choice.randrange(4),))
        case _:
            return Step(name)
