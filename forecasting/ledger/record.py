"""Put today's forecasts on record, before anybody can know their outcome."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from forecasting.files import checksum
from forecasting.ledger import days
from forecasting.ledger.days import COLUMNS, LEVELS
from forecasting.market.calendars import close_of, next_sessions
from forecasting.market.prices import to_csv
from forecasting.models.base import Forecast
from forecasting.settings import STUDY, Settings


class Fitted(Protocol):
    """What a recorded model must offer; ``kept.Kept`` does."""

    checksum: str
    fit_end: pd.Timestamp

    def predict(
        self, ticker: str, prices: pd.DataFrame, origins: np.ndarray
    ) -> Forecast:
        """Forecast from the given rows of ``prices``."""


class Origin(NamedTuple):
    """The last close of a ticker, and the sessions that follow it."""

    prices: pd.DataFrame
    ahead: pd.DatetimeIndex

    @property
    def date(self) -> pd.Timestamp:
        """The session whose close all returns are counted from."""
        return self.prices.index[-1]


class Late(Exception):
    """Why a ticker cannot be forecast now, in one line."""


def origin(
    ticker: str,
    prices: pd.DataFrame,
    now: datetime,
    recorded: pd.DataFrame,
    settings: Settings = STUDY,
) -> Origin:
    """Where a ticker's forecast of this moment starts; Late if nowhere.

    ``recorded``: the ledger so far. It must be before the close of the next
    session, after that of the last, and the first time from there.
    """
    last = prices.index[-1]
    ahead = next_sessions(ticker, prices, settings.horizons)
    known = recorded[recorded["ticker"] == ticker]["origin_date"]
    if close_of(ticker, last) > now:
        raise Late(
            f"its prices reach {last.date()}, a session that is not over"
        )
    if close_of(ticker, ahead[0]) <= now:
        raise Late(
            f"too late: prices end on {last.date()}, and the session of "
            f"{ahead[0].date()}, to be forecast, is over; a forecast from "
            "its close is possible once Yahoo has it"
        )
    if (known == last).any():
        raise Late(f"on record already, from the close of {last.date()}")
    return Origin(prices, ahead)


def record(
    ledger: Path,
    origins: dict[str, Origin],
    models: dict[str, Fitted],
    now: datetime,
    settings: Settings = STUDY,
) -> Path:
    """Write forecasts of every model and ticker; the new day's folder.

    The day is the latest of the origins' dates. Raises LedgerError where it
    is on record, or where a model has learnt from later rows.
    """
    for name, model in models.items():
        if model.fit_end > max(o.date for o in origins.values()):
            raise days.LedgerError(
                f"{name}: has learnt from rows to {model.fit_end.date()}, "
                "after the close to forecast from"
            )
    rows = [
        _quantiles(name, ticker, start, model, settings)
        for name, model in models.items()
        for ticker, start in origins.items()
    ]
    facts = {
        "recorded": now.astimezone(UTC).isoformat(timespec="seconds"),
        "models": {
            name: {"fit": m.checksum, "learnt_to": str(m.fit_end.date())}
            for name, m in models.items()
        },
        "prices": {
            ticker: {
                "to": str(start.date.date()),
                "sha256": checksum(to_csv(start.prices).encode()),
            }
            for ticker, start in origins.items()
        },
    }
    day = max(start.date for start in origins.values()).date()
    return days.write(ledger, day, pd.concat(rows), facts)


def _quantiles(
    name: str, ticker: str, start: Origin, model: Fitted, settings: Settings
) -> pd.DataFrame:
    """One model's forecast of one ticker, as the ledger has it.

    Quantiles of log returns from the origin's close: they tell nobody what
    Yahoo's prices are.
    """
    last = np.array([len(start.prices) - 1])
    forecast = model.predict(ticker, start.prices, last).at(settings.reported)
    values = [forecast.quantile(p)[0] for p in LEVELS]
    table = pd.DataFrame(values, list(LEVELS), settings.reported)
    table = table.rename_axis("output_type_id").rename_axis(
        "horizon", axis="columns"
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
