"""Times, durations, amounts and counts as text."""

from datetime import UTC, datetime, timedelta

from dash import html

from ordersaga.readside import short_ids
from projections.dashboard.viewer import zone

MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS = {currency: decimals for decimals, currencies in MINOR_UNITS.items() for currency in currencies.split()}
"""ISO 4217 minor units (list of 2026-01-01) where they are not two."""
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
SERVICES = {"order_service": "Orders", "payment_service": "Payments", "inventory_service": "Inventory"}
MAX_DIGITS = 15
"""Of an amount that a person types."""
NOTHING = "\N{EN DASH}"


def count(number: int) -> str:
    return f"{number:,}"


def signed(number: int) -> str:
    """+5, -3 with a minus sign, 0."""
    return f"{number:+,}".replace("-", "\N{MINUS SIGN}") if number else "0"


def counted(number: int, what: str) -> str:
    """1 row, 2 rows."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def service(package: str) -> str:
    """`order_service` -> Orders; a service without an entry is called by its package."""
    return SERVICES.get(package, plainly(package.removesuffix("_service")))


def money(amount: int | None, currency: str | None) -> str:
    """`amount` in minor units."""
    if amount is None or currency is None:
        return NOTHING
    decimals = DECIMALS.get(currency, 2)
    figure = f"{abs(amount) / 10**decimals:,.{decimals}f}"
    return f"{'-' if amount < 0 else ''}{SIGNS.get(currency, f'{currency} ')}{figure}"


def minor_units(text: str, currency: str | None) -> int | None:
    """The amount that a person has typed, such as 5, 5.00 or 5,00; None if it is none of this currency."""
    decimals = DECIMALS.get(currency or "", 2)
    whole, point, fraction = text.strip().replace(",", ".").partition(".")
    digits = whole + fraction.ljust(decimals, "0")
    fits = len(fraction) <= decimals and bool(whole) and bool(fraction) == bool(point)
    return int(digits) if fits and digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else None


def percent(share: float) -> str:
    """`share` from 0 to 1."""
    return f"{share * 100:.1f}".removesuffix(".0")


UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def duration(length: timedelta | float) -> str:
    """Two figures at most: 40 ms, 3.2 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 0.9995:
        return f"{max(0, seconds) * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    unit, size, smaller, part = next(each for each in UNITS if seconds >= each[1] - 0.5)
    whole, rest = divmod(round(seconds), size)
    return f"{whole} {unit} {rest // part} {smaller}" if rest // part else f"{whole} {unit}"


def age(since: datetime, now: datetime | None = None) -> timedelta:
    return (now or datetime.now(UTC)) - since


def moment(at: datetime | None, *, fine: bool = False) -> html.Time | str:
    """In the viewer's zone, with the exact UTC in its title; `fine` adds milliseconds. Other days carry their date."""
    return html.Time(clock(at, fine=fine), dateTime=at.isoformat(), title=utc(at)) if at else NOTHING


def clock(at: datetime, *, fine: bool = False) -> str:
    local = at.astimezone(zone())
    today = datetime.now(UTC).astimezone(zone()).date()
    text = f"{local:%H:%M:%S}" + (f".{local.microsecond // 1000:03}" if fine else "")
    return text if local.date() == today else f"{local:%-d %b %Y} {text}"


def utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def ago(at: datetime) -> html.Time:
    """The time since then, with the exact UTC in its title."""
    return html.Time(f"{duration(age(at))} ago", dateTime=at.isoformat(), title=utc(at))


def short(identifier: object) -> html.Span:
    """The short form of an id; the title has the whole id."""
    return html.Span(short_ids.short(identifier), title=str(identifier), className="mono")


def plainly(name: str) -> str:
    """`payment_declined` -> Payment declined."""
    return name.replace("_", " ").capitalize()
