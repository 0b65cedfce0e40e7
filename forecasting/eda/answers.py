"""The seven answers of EDA.ipynb, in words that follow the statistics."""

import numpy as np
import pandas as pd

from forecasting.eda import findings
from forecasting.eda.findings import LEVEL
from forecasting.market.calendars import currency
from forecasting.pages.tables import interval_width, literal, p_is, p_value

NONE, NO_TRACE = "none found at 5 %", "No trace found at 5 %"


def seven(
    history: pd.DataFrame, together: pd.DataFrame
) -> dict[str, tuple[str, str]]:
    """``{question: (answer, what follows for a forecaster)}``.

    ``together``: the returns of ``common_returns``, the ticker's first.
    """
    close, returns = history["Close"], findings.log_returns(history)
    ticker = together.columns[0]
    return {
        "What did the price do?": _price(close),
        "How big are the moves?": _moves(returns),
        "Is tomorrow's direction in today's move?": _direction(close, returns),
        "Is tomorrow's size in today's?": _size(history, returns),
        "Is it stationary?": _stationary(close),
        "How does it move with others?": _others(returns, together),
        "What must a model beat?": _bars(history, ticker),
    }


def _price(close: pd.Series) -> tuple[str, str]:
    rate, years = findings.growth(close)
    worst = findings.drawdown(close).min()
    outside = findings.outside_past(close)
    answer = (
        f"It changed by {rate:+.1f} % a year over {years:.1f} years, and "
        f"stood {-worst:.0f} % below its peak at worst."
    )
    if outside >= 0.5:
        return answer, (
            f"{outside:.0f} % of the last fifth's closes lie outside the "
            "range of those before: scale by the last close, not by the past "
            "range."
        )
    return answer, (
        "the last fifth's closes stayed inside the range of those before: "
        "here even a scale fixed in the past would have held."
    )


def _moves(returns: pd.Series) -> tuple[str, str]:
    df = findings.fits(returns)["Student t"].args[0]
    weight = findings.weight_of_largest(returns)
    answer = (
        f"Half of the moves are smaller than "
        f"{significant(returns.abs().median())} %, yet ten sessions make "
        f"{weight:.0f} % of all squared returns. Student's t has "
        f"{f'{df:.1f}' if df < 100 else 'over 100'} degrees of freedom."
    )
    if df < 30:
        return answer, (
            "give the forecast heavy tails, and report the CRPS beside the "
            "RMSE, which a few sessions decide."
        )
    return answer, "the tails are hardly heavier than normal ones."


def _direction(close: pd.Series, returns: pd.Series) -> tuple[str, str]:
    p = findings.variance_ratios(close)["adjusted p-value"].min()
    box, robust = findings.portmanteau(returns)
    answer = (
        f"{'A trace of it' if p < LEVEL else NO_TRACE}: the variance "
        f"ratios' smallest adjusted p-value is {p_value(p)}. Ljung–Box gives "
        f"{p_is(box)}, and {p_is(robust)} once made robust to changing "
        "volatility. Today's move explains "
        f"{100 * returns.autocorr(1) ** 2:.1f} % of the variation in "
        "tomorrow's return."
    )
    if p < LEVEL:
        return answer, "a trace counts once it is found out of sample, too."
    return answer, (
        "claim no direction without a test out of sample; the last close is "
        "the point forecast to beat."
    )


def _size(history: pd.DataFrame, returns: pd.Series) -> tuple[str, str]:
    tests = findings.arch_tests(returns)["adjusted p-value"]
    clear = tests.min() < LEVEL
    best = findings.clues(history)
    spread = (
        findings.next_by_volatility(history)
        .groupby("fifth", observed=True)["next"]
        .apply(findings.iqr)
    )
    answer = (
        f"{'Large moves follow large ones' if clear else NO_TRACE}: "
        f"ARCH-LM gives {p_is(tests.iloc[0])} with all sessions, "
        f"{p_is(tests.iloc[1])} {tests.index[1].partition(', ')[2]} "
        "(adjusted). The best clue is "
        f"{best.index[0]}: its rank correlation with the next size is "
        f"{best.iloc[0]:.2f}."
    )
    told = (
        "the middle half of the next returns was "
        f"{spread.iloc[0]:.1f} points wide after the calmest fifth of the "
        f"sessions, {spread.iloc[-1]:.1f} after the wildest"
    )
    if clear and spread.iloc[-1] > spread.iloc[0]:
        return answer, f"{told}: let recent size set the forecast's width."
    return answer, f"{told}: a width that follows it has to prove its worth."


def _stationary(close: pd.Series) -> tuple[str, str]:
    found = findings.stationarity(close)
    log, move, size = found["together"].iloc[1:]
    fifths = close.groupby(np.arange(len(close)) * 5 // len(close)).mean()
    answer = (
        f"The log close is {log} (ADF {p_is(found.loc['log close', 'ADF'])}, "
        f"KPSS {p_is(found.loc['log close', 'KPSS'])}), the log return "
        f"{move}, its size {size}. The mean close of one fifth of the history "
        f"is {fifths.max() / fifths.min():.1f} times that of another."
    )
    if move != "stationary":
        told = (
            f"the return is {move}: look at shorter stretches before "
            "trusting what was learnt on all"
        )
    elif log == "stationary":
        told = (
            "returns, and the log close around its trend, can both be "
            "learnt; only the returns need no trend"
        )
    else:
        told = (
            "feed and predict returns, which pass both tests, and rebuild "
            "the price from the last close"
        )
    if size != "stationary":
        told += "; show the model recent sizes, whose level may wander"
    return answer, f"{told}."


def _others(returns: pd.Series, together: pd.DataFrame) -> tuple[str, str]:
    together = together.rename(columns=literal)
    mean, error = findings.yearly_mean(returns)
    drift = (
        f"its mean return over the whole history is {mean:.0f} ± {error:.0f} "
        "% a year"
    )
    if abs(mean) <= error:
        told = f"do not count on drift: {drift}, which leaves its sign open."
    else:
        told = f"test a drift out of sample before using it: {drift}."
    own, *peers = together
    if not peers:
        return f"No other history shares a year with {own}.", told
    tied = findings.ties(together)
    apart = findings.mean_differences(together)["p"]
    leaders = ", ".join(tied.index[tied["p"] < LEVEL])
    unlike = ", ".join(apart.index[apart < LEVEL])
    if leaders:
        told = f"test the session before of {leaders} out of sample; {told}"
    return (
        f"Closest is {tied.index[0]} (correlation {tied['same'].iloc[0]:.2f})."
        f" Peers whose session before tells the next return: {leaders or NONE}"
        f". Peers whose mean return differs: {unlike or NONE} (both adjusted)."
    ), told


def _bars(history: pd.DataFrame, ticker: str) -> tuple[str, str]:
    one = findings.bars(history, ticker).loc[1]
    sessions = len(findings.random_walk(history, ticker)[1]) - 1
    width = interval_width(one["in 80 %"] / 100, sessions)
    return (
        f"One session ahead, persistence has an RMSE of "
        f"{significant(one['RMSE'])} {currency(ticker)}, and the random walk "
        f"a CRPS of {one['CRPS']:.3f} %; its 80 % interval held "
        f"{one['in 80 %']:.1f} % of the returns ({width})."
    ), (
        "beat this RMSE and CRPS on the same rows, with intervals that hold "
        f"what they promise. Persistence itself has an R² of {one['R²']:.2f}, "
        f"and always saying up is right for {one['rose']:.1f} % of closes."
    )


def as_table(found: dict[str, tuple[str, str]], ticker: str) -> str:
    """All answers as a table in Markdown."""
    lines = [
        f"| {literal(ticker)} | Answer | For a forecaster |",
        "|---|---|---|",
    ]
    for number, (question, texts) in enumerate(found.items(), 1):
        answer, told = texts[0], texts[1][0].upper() + texts[1][1:]
        lines.append(f"| {number}. {question} | {answer} | {told} |")
    return "\n".join(lines)


def as_text(found: dict[str, tuple[str, str]], number: int) -> str:
    """One answer, 1 … 7, and what follows from it, in Markdown."""
    answer, told = list(found.values())[number - 1]
    return f"**{answer}** *For a forecaster:* {told}"


def significant(x: float) -> str:
    """A positive number with three significant digits."""
    return f"{x:,.{max(0, 2 - int(np.floor(np.log10(x))))}f}"
