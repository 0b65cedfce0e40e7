"""What scraper.py makes of the rows of a reply: nothing false is saved."""

import copy
import itertools
import re
from functools import partial

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import yahoo_standin as upstream
from hypothesis import HealthCheck, given, settings
from yahoo_standin import columns, reorder

from forecasting.market import prices, reply
from forecasting.market.calendars import calendar
from forecasting.market.prices import OHLC
from forecasting.market.reply import parse
from forecasting.market.request import Refused
from forecasting.market.validate import validate

ROWS = 500
ALL = range(ROWS)
HISTORY = upstream.snapshot("AAPL", ROWS)
DAYS = HISTORY.index.strftime("%Y-%m-%d")
PRICES = ["open", "high", "low", "close", "adjclose"]
SHUFFLED = np.random.default_rng(0).permutation(ROWS)


@pytest.fixture
def chart(yahoo):
    """AAPL's chart as it will be served, free to edit."""
    return yahoo.charts["AAPL"]


# Edits of a chart.


def put(chart, path, value):
    """The part at `a.b.0` becomes the value; ...: it is deleted."""
    *parents, last = (int(n) if n.isdigit() else n for n in path.split("."))
    for name in parents:
        chart = chart[name]
    if value is ...:
        del chart[last]
    else:
        chart[last] = value


def scale(chart, factor, rows=slice(None), names=PRICES):
    for name in names:
        values = columns(chart)[name]
        values[rows] = [v * factor for v in values[rows]]


def split(chart, row, ratio, left_in=False):
    if left_in:
        scale(chart, ratio, slice(row))
    stamp = chart["timestamp"][row]
    event = {"date": stamp, "numerator": ratio, "denominator": 1}
    chart["events"]["splits"] = {str(stamp): event}


def null(chart, rows, names=(*PRICES, "volume")):
    for name in names:
        for row in rows:
            columns(chart)[name][row] = None


def without(chart, rows):
    gone = list(rows)
    reorder(chart, [i for i in ALL if i not in gone])


def listed(chart, exchange, rows, currency="USD"):
    chart["meta"].update(exchangeName=exchange, currency=currency)
    reorder(chart, rows)


def in_progress(chart):
    meta = chart["meta"]
    end = meta["currentTradingPeriod"]["regular"]["end"]
    meta["regularMarketTime"] = end - 3600


def restamp(chart, rows, stamps):
    for row, stamp in zip(rows, stamps, strict=True):
        chart["timestamp"][row] = stamp


def add_closed_days(chart):
    """A holiday and a Saturday."""
    reorder(chart, [*ALL, 10, 200])
    days = pd.DatetimeIndex(["2001-07-04", "2001-07-07"])
    restamp(chart, [-2, -1], upstream.stamps(days))


# ---- what is saved


NAN, INF = float("nan"), float("inf")
IMPOSSIBLE = [
    *itertools.product(PRICES, [None, NAN, 0, -3.5, INF, 1e308], [""]),
    *itertools.product(PRICES[:4], [1e4], [""]),
    ("close", None, "a price is missing"),
    ("open", INF, "a price is not finite"),
    ("low", 0, "a price is not positive"),
    ("high", 3.0, "a price lies outside low to high"),
    ("low", 0.1, "low and high are too far apart"),
    ("volume", None, "the volume is missing"),
    ("volume", -1, "the volume is impossible"),
    ("volume", 1e300, "the volume is impossible"),
]


@pytest.mark.parametrize("name, value, reason", IMPOSSIBLE)
def test_an_impossible_value_drops_its_row(chart, scrape, name, value, reason):
    columns(chart)[name][7] = value
    left = HISTORY.drop(HISTORY.index[7])
    scrape.saves(f"dropped {DAYS[7]}: {reason}", history=left)


FUTURE = [3_000_000_000, 3_000_086_400]
MISSING = f"missing: {DAYS[20]}, {DAYS[21]}, {DAYS[300]}"
# An edit, the rows that are not saved, and what is said, if anything.
EDITED = [
    (lambda c: null(c, [7]), [7], [f"dropped {DAYS[7]}: a price is missing"]),
    (add_closed_days, [], ["2001-07-04, 2001-07-07: the exchange was closed"]),
    (
        lambda c: restamp(c, [-2, -1], FUTURE),
        [-2, -1],
        ["dated in the future"],
    ),
    (lambda c: without(c, [20, 21, 300]), [20, 21, 300], [MISSING]),
    (lambda c: listed(c, "LSE", ALL[::2], "GBp"), ALL[1::2], ["of XLON are"]),
    (lambda c: reorder(c, SHUFFLED), [], []),
    (lambda c: reorder(c, [*ALL, 7, 7, 480, 499]), [], []),
    (lambda c: listed(c, "XXX", ALL[::2]), ALL[1::2], []),  # no calendar
]


@pytest.mark.parametrize("edit, gone, words", EDITED)
def test_what_is_sound_is_saved_and_what_is_not_is_reported(
    chart, scrape, edit, gone, words
):
    edit(chart)
    left = HISTORY.drop(HISTORY.index[list(gone)])
    scrape.saves(*words, history=left)


def saturdays(chart, rows):
    """Bars on Saturdays of 2001 from 7 July on, of a share in London."""
    listed(chart, "LSE", [*ALL, *rows], "GBp")
    days = pd.date_range("2001-07-07", periods=len(rows), freq="7D")
    restamp(chart, range(-len(rows), 0), upstream.stamps(days))


def test_a_bar_that_was_traded_outweighs_a_calendar(chart, scrape):
    """One that repeats Friday's does not, nor one without a volume."""
    friday = HISTORY.index.get_loc("2001-07-13")
    saturdays(chart, [friday - 6, friday, friday - 6])
    columns(chart)["volume"][-1] = 0
    row = HISTORY.iloc[[friday - 6]].set_axis(pd.DatetimeIndex(["2001-07-07"]))
    lines = [
        "dropped 2001-07-14, 2001-07-21: the exchange was closed",
        "kept 2001-07-07: traded at a weekend",
    ]
    scrape.saves(*lines, history=pd.concat([HISTORY, row]).sort_index())


def test_many_bars_at_weekends_are_a_doubt(chart, scrape):
    saturdays(chart, [*range(300, 306)])
    scrape.refuses("6 of 506 rows are of weekends")


def test_no_volume_and_a_close_past_the_high_by_rounding_are_kept(
    chart, scrape
):
    lists = columns(chart)
    lists["volume"][7] = 0
    lists["high"][7] = lists["close"][7] * (1 - 1e-6)
    assert scrape("AAPL")[0] == 0
    row = prices.read_csv(scrape.csv).iloc[7]
    assert row["High"] == max(row["Close"], row["Open"])
    assert row["Volume"] == 0


@pytest.mark.parametrize("kind", ["INDEX", "CURRENCY"])
def test_an_index_needs_no_currency_volume_or_adjusted_close(
    chart, scrape, kind
):
    meta = {"instrumentType": kind, "currency": None, "exchangeName": "SNP"}
    chart["meta"].update(meta)
    null(chart, ALL, ["volume"])
    closes = columns(chart)["close"]
    del chart["indicators"]["adjclose"]
    code, _, err = scrape("AAPL")
    assert code == 0
    assert "AAPL: 500 sessions without a volume, written as 0\n" in err
    history = prices.read_csv(scrape.csv)
    assert (history["Volume"] == 0).all()
    assert np.allclose(history["Close"], closes, atol=1e-6)


def test_the_live_quote_after_the_close_is_the_last_bar(chart, scrape):
    reorder(chart, [*ALL, ROWS - 1])
    restamp(chart, [-1], [chart["meta"]["regularMarketTime"]])
    columns(chart)["volume"][-1] += 12
    history = HISTORY.copy()
    history.iloc[-1, 4] += 12
    scrape.saves(history=history)


def test_a_bar_in_progress_is_saved_when_it_is_final_or_asked_for(
    yahoo, chart, scrape
):
    final = copy.deepcopy(chart)
    in_progress(chart)
    columns(chart)["volume"][-1] //= 2
    told = f"dropped {DAYS[-1]}: the session is still in progress"
    scrape.saves(told, history=HISTORY[:-1])
    assert scrape("AAPL", "--live-bar")[0] == 0
    assert len(prices.read_csv(scrape.csv)) == ROWS
    # Without the option it goes again; that is no history getting shorter.
    scrape.saves(told, history=HISTORY[:-1])
    yahoo.charts["AAPL"] = final
    scrape.saves()


def test_a_bar_of_today_is_dropped_where_yahoo_does_not_say(chart, scrape):
    meta = chart["meta"]
    del meta["currentTradingPeriod"], meta["regularMarketTime"]
    meta.update(exchangeName="XXX", exchangeTimezoneName="UTC")
    today = pd.Timestamp.now("UTC").normalize()
    days = pd.date_range(end=today, periods=ROWS)
    restamp(chart, ALL, [int(day.timestamp()) for day in days])
    assert scrape("AAPL")[0] == 0
    last = prices.read_csv(scrape.csv).index[-1]
    assert last == days[-2].tz_localize(None)


def test_midnight_stamped_an_hour_early_is_the_next_day():
    zone = "America/Sao_Paulo"
    for hour in ["2022-01-16 22:00", "2022-01-16 23:00", "2022-01-17 10:00"]:
        stamp = int(pd.Timestamp(hour, tz=zone).timestamp())
        assert reply._dates([stamp], zone)[0] == pd.Timestamp("2022-01-17")


def priced(yahoo, table, days, volume=1000, **meta):
    """Let the stand-in serve prices of our own; returns the history."""
    history = pd.DataFrame(table, days, OHLC).assign(Volume=volume)
    chart = upstream.chart("AAPL", history)
    for name in OHLC:  # no dividend, which would cost digits
        columns(chart)[name.lower()][:] = history[name].tolist()
    chart["meta"] |= meta
    yahoo.charts["AAPL"] = chart
    return history


@pytest.mark.parametrize("price", [0.0001234567, 0.01, 500_000.0])
def test_a_price_of_any_size_keeps_its_digits(yahoo, scrape, price):
    close = price * (1 + 0.001 * np.arange(ROWS))
    table = np.c_[close, close * 1.01, close * 0.99, close]
    priced(yahoo, table, HISTORY.index)
    assert scrape("AAPL")[0] == 0
    history = prices.read_csv(scrape.csv)
    # At six decimals, steps of 0.1 % of the smallest would be lost.
    digits = 6e-6 if price < 0.001 else 6e-5
    assert np.allclose(history[OHLC], table, rtol=digits, atol=0)
    assert prices.to_csv(history).encode() == scrape.csv.read_bytes()


XNYS = calendar("XNYS")
SINCE_1962 = XNYS[(XNYS >= "1962-01-02") & (XNYS < "1990")]
COIN = {"exchangeName": "CCC", "instrumentType": "CRYPTOCURRENCY"}
TABLE = HISTORY[OHLC].to_numpy()
AT_REST = TABLE.copy()
AT_REST[100:125] = AT_REST[100, 3]
NO_TRADE = {"volume": [0 if 100 <= row < 125 else 1000 for row in ALL]}
ODD = [
    (AT_REST, HISTORY.index, NO_TRADE),  # for a month
    (TABLE, pd.date_range("2001-01-01", periods=ROWS), COIN),
    (np.full((len(SINCE_1962), 4), 7.0), SINCE_1962, {"exchangeName": "NYQ"}),
]


@pytest.mark.parametrize("table, days, meta", ODD)
def test_an_odd_but_true_history_is_kept(yahoo, scrape, table, days, meta):
    scrape.saves(history=priced(yahoo, table, days, **meta))


def test_only_the_range_asked_is_saved(yahoo, scrape):
    # Whatever Yahoo sends beyond it; the end is excluded.
    span = ["--start", "2000-06-01", "--end", "2001-05-31"]
    expected = HISTORY["2000-06-01":"2001-05-30"]
    scrape.saves(history=expected, arguments=span)
    _, path = yahoo.asked[-1]
    period = dict(re.findall(r"(period[12])=(\d+)", path))
    first, last = (
        pd.Timestamp(int(seconds), unit="s") for seconds in period.values()
    )
    assert pd.Timestamp("2000-05-30") <= first < pd.Timestamp("2000-06-01")
    assert pd.Timestamp("2001-05-31") < last <= pd.Timestamp("2001-06-02")


def days_since(day):
    """The exchange's days from a session to today, in words."""
    now = pd.Timestamp.now("America/New_York").tz_localize(None)
    return f"{(now - pd.Timestamp(day)).days:,} days ago"


@pytest.mark.parametrize(
    "end, silence",
    [
        (None, ...),
        ("2999-01-04", ...),
        ("2001-03-16", "15 days before --end"),
        ("2001-03-15", None),
    ],
)
def test_a_history_that_ends_early_is_pointed_out(chart, scrape, end, silence):
    reorder(chart, range(HISTORY.index.get_loc("2001-03-01") + 1))
    before = days_since("2001-03-01")
    code, _, err = scrape("AAPL", *(["--end", end] if end else []))
    # Midnight may have struck.
    until_now = {before, days_since("2001-03-01")}
    said = {
        f"AAPL: last session 2001-03-01, {words}: delisted, or cut short?\n"
        for words in (until_now if silence is ... else {silence})
    }
    assert code == 0
    assert err in (said if silence else {""})


# ---- since the last run

SHORTER = [ALL[:-1], ALL[1:], ALL[:250]]


def test_a_split_or_dividend_since_the_last_run_rewrites_the_history(
    chart, scrape
):
    scrape.saves()
    scale(chart, 0.5)
    split(chart, -1, 2)
    scale(chart, 0.98, slice(490), ["adjclose"])
    assert scrape("AAPL")[0] == 0
    ratio = prices.read_csv(scrape.csv) / HISTORY
    for rows, factor in [(slice(490), 0.49), (slice(490, None), 0.5)]:
        assert np.allclose(ratio[OHLC][rows], factor, atol=1e-5)
    assert (ratio["Volume"] == 1).all()


@pytest.mark.parametrize(
    "edit, rows",
    [
        *[(partial(reorder, rows=r), r) for r in SHORTER],
        (lambda c: null(c, [-1], ["close"]), ALL[:-1]),
    ],
)
def test_a_shorter_history_is_refused_unless_forced(chart, scrape, edit, rows):
    scrape.saves()
    edit(chart)
    code, out, err = scrape("AAPL")
    assert (code, out) == (1, "")
    assert f"lacks {ROWS - len(rows)} sessions" in err
    assert "--force" in err
    assert scrape.csv.read_bytes() == upstream.good()
    left = HISTORY.iloc[list(rows)]
    scrape.saves("lacks", history=left, arguments=["--force"])


# ---- doubtful histories: refused, unless forced

JUMP = "the close moves more than 8-fold"
STEP = "the prices step by the ratio of a split"
DIVIDEND = "the adjustment for dividends makes a jump"
DOUBTFUL = [
    *[
        (partial(scale, factor=f, rows=rows), f"{DAYS[rows.start]}: {JUMP}")
        for rows in [slice(7, 8), slice(300, None)]
        for f in [100, 0.01]
    ],
    (lambda c: scale(c, 1e4, slice(7, 8), ["adjclose"]), JUMP),
    *[
        (
            partial(split, row=300, ratio=r, left_in=True),
            f"{DAYS[300]}: {STEP}",
        )
        for r in [2, 7, 0.1]
    ],
    # 0.5 % of the price taken for 50 %: all rows before it are halved.
    (lambda c: scale(c, 0.5, slice(300), ["adjclose"]), DIVIDEND),
    (lambda c: without(c, range(100, 120)), "20 of 500 sessions of XNAS"),
    (lambda c: without(c, range(1, 400)), "399 of 500 sessions of XNAS"),
    (lambda c: without(c, range(5, 490, 20)), "25 of 500 sessions of XNAS"),
    (lambda c: listed(c, "XXX", ALL[::5]), "are 7 days apart, not daily"),
]


@pytest.mark.parametrize("edit, why", DOUBTFUL)
def test_a_doubtful_history_is_refused_unless_forced(chart, scrape, edit, why):
    edit(chart)
    scrape.refuses(why, "--force accepts it")
    code, _, err = scrape("AAPL", "--force")
    assert code == 0
    assert why in err
    assert len(prices.read_csv(scrape.csv)) == len(chart["timestamp"])


def test_more_than_ten_sessions_in_a_row_are_missed(yahoo, scrape):
    history = upstream.snapshot("AAPL", 3000)
    yahoo.charts["AAPL"] = upstream.chart("AAPL", history)
    reorder(yahoo.charts["AAPL"], [*range(200), *range(211, 3000)])
    scrape.refuses(
        "11 of 3000 sessions of XNAS are missing, up to 11 in a row"
    )


def test_too_many_bad_rows_are_refused_with_a_way_out(chart, scrape):
    columns(chart)["open"][:50] = [0] * 50
    start = ["--start", DAYS[50]]  # the message proposes it
    scrape.refuses("50 of 500 rows", "not positive", " ".join(start))
    scrape.csv.unlink()
    scrape.saves(history=HISTORY[50:], arguments=start)


def test_a_history_that_starts_later_than_asked_is_refused(scrape):
    late = ["--start", "1990-01-02"]
    why = "starts on 2000-03-01, not on 1990-01-02"
    scrape.refuses(why, arguments=late)
    scrape.saves(why, arguments=[*late, "--force"])


# ---- false replies: refused, forced or not


@pytest.mark.parametrize("row", [7, ROWS - 1])
@pytest.mark.parametrize("name", [*PRICES[:4], "volume"])
def test_conflicting_duplicates_fail(chart, scrape, row, name):
    reorder(chart, [*ALL, row])
    columns(chart)[name][-1] *= 1.001
    if name != "volume":  # low ≤ open, close ≤ high must still hold
        columns(chart)["high"][-1] *= 1.01
    scrape.refuses(f"two different bars for {DAYS[row]}")


FORMAT = "not Yahoo's format"
SPLIT = ["date", "numerator", "denominator"]
INTRADAY = [951921000 + 600 * i for i in ALL]
MALFORMED = [
    ("meta.symbol", "MSFT", "answers about MSFT; ask for that"),
    ("meta.symbol", ..., FORMAT),
    ("meta.symbol", 7, FORMAT),
    ("meta.currency", "EUR", "prices in EUR"),
    ("meta.dataGranularity", "1wk", "1wk, not 1d"),
    ("meta.exchangeTimezoneName", ..., FORMAT),
    ("meta.exchangeTimezoneName", "Mars/X", FORMAT),
    ("meta.currentTradingPeriod.regular.end", "soon", FORMAT),
    ("indicators.quote.0.open", [1.0] * 499, "different lengths"),
    ("indicators.quote.0.close", ..., FORMAT),
    ("indicators.quote.0.close", None, FORMAT),
    (
        "indicators.quote.0.close",
        [None] * ROWS,
        "no usable row in 500: a price is missing;",
    ),
    ("indicators.quote.0.close.7", "3.50", "not a number"),
    ("indicators.quote.0.close.7", True, "not a number"),
    ("indicators.quote.0.close.7", [1], "not a number"),
    ("indicators.quote.0.close.7", 10**400, FORMAT),
    ("indicators.adjclose", ..., "no adjusted closes"),
    ("indicators.adjclose", None, FORMAT),
    ("indicators.quote", [], FORMAT),
    ("indicators.quote", [{}, {}], FORMAT),
    ("indicators.quote.0", dict.fromkeys(PRICES, [None] * ROWS), FORMAT),
    ("timestamp.7", None, "whole number"),
    ("timestamp.7", "2001-01-02", "whole number"),
    ("timestamp.7", True, "whole number"),
    ("timestamp.7", 9.5e8, "whole number"),
    ("timestamp.7", 951921000000, "in seconds"),
    ("timestamp.7", 10**30, "in seconds"),
    ("timestamp.7", -(10**12), "in seconds"),
    ("timestamp", ..., "no rows"),
    ("timestamp", INTRADAY, "two different bars"),
    ("events.splits", {"1": dict.fromkeys(SPLIT, 0)}, FORMAT),
]


@pytest.mark.parametrize("path, value, word", MALFORMED)
def test_a_malformed_chart_is_refused_at_once(
    yahoo, chart, scrape, path, value, word
):
    put(chart, path, value)
    scrape.refuses(word)
    assert len(yahoo.times()) == 1


# ---- properties

FAULTS = st.sampled_from(
    [None, 0, -1.5, 1e308, float("inf"), float("nan"), 1e-9]
)
ROW = st.integers(0, 119)
EDITS = st.lists(
    st.tuples(ROW, st.sampled_from([*PRICES, "volume"]), FAULTS), max_size=12
)


@given(
    edits=EDITS,
    repeated=st.lists(ROW, max_size=5),
    shuffled=st.randoms(use_true_random=False),
    kind=st.sampled_from(["EQUITY", "INDEX"]),
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_written_is_a_sound_history(
    tmp_path, edits, repeated, shuffled, kind
):
    history = HISTORY[:120]
    chart = upstream.chart("AAPL", history)
    chart["meta"]["instrumentType"] = kind
    for row, name, value in edits:
        columns(chart)[name][row] = value
    order = [*range(120), *repeated]
    shuffled.shuffle(order)
    reorder(chart, order)
    try:
        checked = validate(parse(upstream.document(chart), "AAPL"))
    except Refused:
        return
    path = tmp_path / "AAPL.csv"
    content = prices.to_csv(checked.history).encode()
    path.write_bytes(content)

    back = prices.read_csv(path)
    pd.testing.assert_frame_equal(
        back, checked.history, check_freq=False, check_index_type=False
    )
    assert np.isfinite(back.to_numpy()).all()
    assert (back[OHLC] > 0).all(axis=None)
    assert back.index.is_monotonic_increasing
    assert back.index.is_unique
    assert (back["High"] >= back[OHLC].max(axis=1)).all()
    assert (back["Low"] <= back[OHLC].min(axis=1)).all()
    assert prices.to_csv(back).encode() == content
    # Rows nobody touched are there, and nothing was invented.
    touched = {history.index[row] for row, _, _ in edits}
    assert set(history.index) - touched <= set(back.index)
    assert set(checked.dropped) <= touched
    intact = [d for d in back.index if d not in touched]
    assert prices.to_csv(back.loc[intact]) == prices.to_csv(
        history.loc[intact]
    )


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@settings(max_examples=100, deadline=None)
def test_parse_refuses_any_garbage(content):
    with pytest.raises(Refused):
        parse(content, "AAPL")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
PLACES = [
    *["meta", "meta.symbol", "meta.exchangeTimezoneName"],
    *["meta.regularMarketTime", "meta.currentTradingPeriod"],
    *["meta.currentTradingPeriod.regular.start", "timestamp"],
    *["events", "events.splits", "events.dividends", "indicators"],
    *["indicators.quote", "indicators.quote.0", "indicators.quote.0.close"],
    *["indicators.quote.0.volume", "indicators.adjclose"],
    *["indicators.adjclose.0"],
]


@given(st.sampled_from(PLACES), JSON)
@settings(max_examples=200, deadline=None)
def test_any_part_may_be_anything(place, value):
    chart = upstream.chart("AAPL", HISTORY[:20])
    put(chart, place, value)
    try:
        checked = validate(parse(upstream.document(chart), "AAPL"))
    except Refused:
        return
    prices.check(checked.history, "AAPL")
