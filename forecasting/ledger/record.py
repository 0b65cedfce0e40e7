"""Put today's forecasts on record, before anybody can know their outcome."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.console import brief, say
from forecasting.files import checksum
from forecasting.ledger import days
from forecasting.ledger.days import COLUMNS, LEVELS
from forecasting.market.calendars import close_of, sessions_ahead
from forecasting.market.prices import to_csv
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.registry import make_model
from forecasting.models.vintage import VintageForecaster, newest
from forecasting.settings import STUDY


class Origin(NamedTuple):
    """The last close of a ticker, and the sessions that follow it."""

    prices: pd.DataFrame
    ahead: pd.DatetimeIndex

    @property
    def date(self) -> pd.Timestamp:
        """The session whose close all returns are counted from."""
        return self.prices.index[-1]


class Fitted(NamedTuple):
    """A model as it forecasts today: a fit of each ticker, or why none.

    ``fit_end``: the last day learnt from; ``checksum``: of the vintage, empty
    where the model was fitted to the prices of the day, which have theirs.
    """

    fits: dict[str, Forecaster | Exception]
    fit_end: pd.Timestamp
    checksum: str = ""

    def predict(
        self, ticker: str, prices: pd.DataFrame, origins: np.ndarray
    ) -> Forecast:
        """Forecast a ticker from some rows of its prices."""
        fit = self.fits[ticker]
        if isinstance(fit, Exception):
            raise fit
        return fit.predict(prices, origins)


class Late(Exception):
    """Why a ticker cannot be forecast now, in one line."""


def origin(
    ticker: str,
    prices: pd.DataFrame,
    now: datetime,
    recorded: pd.DataFrame,
) -> Origin:
    """Where a ticker's forecast of this moment starts; Late if nowhere.

    ``recorded``: the ledger so far. It must be before the close of the next
    session, after that of the last, and the first time from there. Where
    holidays among the targets are not known a line says so.
    """
    last = prices.index[-1]
    ahead, note = sessions_ahead(ticker, prices, STUDY.horizons)
    known = recorded[recorded["ticker"] == ticker]["origin_date"]
    if close_of(ticker, last) > now:
        raise Late(
            f"its prices reach {last.date()}, a session that is not over"
        )
    start = Origin(prices, ahead)
    in_time(ticker, start, now)
    if (known == last).any():
        raise Late(f"on record already, from the close of {last.date()}")
    if note:
        say(f"{note}; what is forecast for one will be void")
    return start


def in_time(ticker: str, start: Origin, now: datetime) -> None:
    """Late, if the first session to be forecast is over by now."""
    first = start.ahead[0]
    if close_of(ticker, first) <= now:
        raise Late(
            f"too late: prices end on {start.date.date()}, and the session "
            f"of {first.date()}, to be forecast, is over; a forecast from "
            "its close is possible once Yahoo has it"
        )


def left_out(what: str, error: Exception) -> str:
    """One line: what is not recorded, and why."""
    reason = brief(error, 200).removeprefix(what.partition(":")[0] + ": ")
    return f"{what} is left out: {reason or type(error).__name__}"


def day_of(origins: dict[str, Origin]) -> date:
    """The day under which forecasts are recorded: the latest origin's."""
    return max(start.date for start in origins.values()).date()


def ready(name: str, histories: dict[str, pd.DataFrame]) -> Fitted:
    """A model of the registry, ready to forecast from the histories' ends.

    Raises what goes wrong for all of them.
    """
    model, ends = make_model(name), [p.index[-1] for p in histories.values()]
    if isinstance(model, VintageForecaster):
        card = newest(min(ends)).card
        model = type(model)(end=card["end"])
        end = pd.Timestamp(card["end"])
        return Fitted(dict.fromkeys(histories, model), end, card["sha256"])
    if model.pooled:
        model.fit(histories)
        return Fitted(dict.fromkeys(histories, model), max(ends))
    fits: dict[str, Forecaster | Exception] = {}
    for ticker, prices in histories.items():
        try:
            fits[ticker] = make_model(name).fit({ticker: prices})
        except Exception as error:  # the evening is not to be had again
            fits[ticker] = error
    return Fitted(fits, max(ends))


def record(
    ledger: Path,
    origins: dict[str, Origin],
    models: dict[str, Fitted],
    clock: Callable[[], datetime],
) -> pd.DataFrame:
    """Write forecasts of every model and ticker as a new day; the forecasts.

    ``clock`` is asked once they are made: the receipt has the time of
    writing, and a ticker whose first session is over by then is left out, as
    is a model that has no forecast of a ticker; a line says so. Raises Late
    where all are, LedgerError where no model has a forecast, one has learnt
    from later rows, or the day is on record.
    """
    for name, model in models.items():
        if model.fit_end > max(o.date for o in origins.values()):
            raise days.LedgerError(
                f"{name}: has learnt from rows to {model.fit_end.date()}, "
                "after the close to forecast from"
            )
    made = {}
    for name, model in models.items():
        for ticker, start in origins.items():
            try:
                made[name, ticker] = _quantiles(name, ticker, start, model)
            except Exception as error:  # the evening is not to be had again
                say(left_out(f"{ticker}: {name}", error))
    if not made:
        raise days.LedgerError("no model has a forecast; nothing is recorded")
    now = clock()
    for ticker in dict.fromkeys(ticker for _, ticker in made):
        try:
            in_time(ticker, origins[ticker], now)
        except Late as reason:
            say(f"{ticker}: {reason}")
            made = {key: m for key, m in made.items() if key[1] != ticker}
    if not made:
        raise Late("nothing is recorded")
    held = {ticker: origins[ticker] for _, ticker in made}
    facts = {
        "recorded": now.astimezone(UTC).isoformat(timespec="seconds"),
        "models": {
            name: {
                "fit": models[name].checksum,
                "learnt_to": str(models[name].fit_end.date()),
            }
            for name in dict.fromkeys(name for name, _ in made)
        },
        "prices": {
            ticker: {
                "to": str(start.date.date()),
                "sha256": checksum(to_csv(start.prices).encode()),
            }
            for ticker, start in held.items()
        },
    }
    forecasts = pd.concat(made.values())
    days.write(ledger, day_of(held), forecasts, facts)
    return forecasts


def _quantiles(
    name: str,
    ticker: str,
    start: Origin,
    model: Fitted,
) -> pd.DataFrame:
    """One model's forecast of one ticker, as the ledger has it.

    Quantiles of log returns from the origin's close: they tell nobody what
    Yahoo's prices are.
    """
    last = np.array([len(start.prices) - 1])
    forecast = model.predict(ticker, start.prices, last).at(STUDY.reported)
    levels = pd.Index(LEVELS, name="output_type_id")
    table = pd.DataFrame(
        [forecast.quantile(p)[0] for p in LEVELS],
        levels,
        pd.Index(STUDY.reported, name="horizon"),
    )
    table = table.unstack().rename("value").reset_index()
    return table.assign(
        model_id=name,
        origin_date=start.date,
        target_end_date=start.ahead[table["horizon"] - 1],
        ticker=ticker,
        output_type="quantile",
    )[COLUMNS]


def missed(origins: pd.Series, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Sessions since the first on record from which nothing was forecast.

    ``origins``: those on record. The last of the ``sessions`` is left out:
    a forecast from it may still be made.
    """
    held = sessions[sessions >= origins.min()][:-1]
    return held.difference(pd.DatetimeIndex(origins))
