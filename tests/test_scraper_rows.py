"""What scraper.py makes of the rows of a reply: nothing false is saved."""

import copy
import json

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import yahoo_standin as upstream
from hypothesis import HealthCheck, given, settings
from yahoo_standin import body, refuses

from forecasting.market import prices, reply
from forecasting.market.calendars import calendar
from forecasting.market.files import write
from forecasting.market.reply import parse
from forecasting.market.request import Refused
from forecasting.market.validate import validate

ROWS = 500
HISTORY = upstream.snapshot("AAPL", ROWS)
DAY = 86400


def parts(yahoo):
    """Chart, its meta, quote lists and adjusted closes, free to edit."""
    chart = yahoo.charts["AAPL"]
    (quote,) = chart["indicators"]["quote"]
    return chart, chart["meta"], quote, chart["indicators"]["adjclose"][0]


def bytes_of(history) -> bytes:
    return prices.to_csv(history).encode()


def saves(scrape, csv, history=HISTORY, *words, arguments=()):
    """The call saves this history, with these words on stderr."""
    code, out, err = scrape("AAPL", *arguments)
    assert code == 0, err
    assert out.startswith(f"AAPL: {len(history)} rows, ")
    for word in words:
        assert word in err
    assert words or not err
    assert csv.read_bytes() == bytes_of(history)


FIELDS = ["open", "high", "low", "close"]


# ---- single rows


@pytest.mark.parametrize(
    "fields", [["close"], ["open"], ["adjclose"], [*FIELDS, "volume"]]
)
def test_an_interior_null_row_is_dropped_and_its_date_reported(
    yahoo, scrape, csv, fields
):
    _, _, quote, adjusted = parts(yahoo)
    for name in fields:
        (quote | adjusted)[name][7] = None
    date = HISTORY.index[7]
    words = [f"dropped {date.date()}: a price is missing"]
    saves(scrape, csv, HISTORY.drop(date), *words)


BAD_VALUES = {
    "zero": (0, "not positive"),
    "negative": (-3.5, "not positive"),
    "infinite": (float("inf"), "not finite"),
    "overflowing": (1e308, "lies outside"),
    "nan": (float("nan"), "missing"),
    "a slip of units": (1e4, "outside"),
}


@pytest.mark.parametrize("value, word", BAD_VALUES.values(), ids=BAD_VALUES)
@pytest.mark.parametrize("field", [*FIELDS, "adjclose"])
def test_an_impossible_price_never_reaches_the_file(
    yahoo, scrape, csv, field, value, word
):
    _, _, quote, adjusted = parts(yahoo)
    (quote | adjusted)[field][7] = value
    code, _, err = scrape("AAPL")
    if code == 0:
        date = HISTORY.index[7]
        assert f"dropped {date.date()}: " in err
        assert csv.read_bytes() == bytes_of(HISTORY.drop(date))
    else:  # an adjusted close can be wrong alone: a step in the series
        assert field == "adjclose"
        assert str(HISTORY.index[7].date()) in err
        assert not csv.exists()


def test_a_high_below_the_low_is_dropped(yahoo, scrape, csv):
    _, _, quote, _ = parts(yahoo)
    quote["high"][7], quote["low"][7] = quote["low"][7], quote["high"][7]
    date = HISTORY.index[7]
    words = [f"dropped {date.date()}: a price lies outside low to high"]
    saves(scrape, csv, HISTORY.drop(date), *words)


def test_a_close_past_the_high_by_rounding_is_kept(yahoo, scrape, csv):
    _, _, quote, _ = parts(yahoo)
    quote["high"][7] = quote["close"][7] * (1 - 1e-6)
    assert scrape("AAPL")[0] == 0
    row = prices.read_csv(csv).iloc[7]
    assert row["High"] == max(row["Close"], row["Open"])


@pytest.mark.parametrize("volume", [None, -1, 1e300])
def test_an_impossible_volume_drops_the_row(yahoo, scrape, csv, volume):
    parts(yahoo)[2]["volume"][7] = volume
    date = HISTORY.index[7]
    words = [f"dropped {date.date()}: the volume is"]
    saves(scrape, csv, HISTORY.drop(date), *words)


def test_zero_volume_is_kept(yahoo, scrape, csv):
    parts(yahoo)[2]["volume"][7] = 0
    history = HISTORY.copy()
    history.iloc[7, 4] = 0
    saves(scrape, csv, history)


@pytest.mark.parametrize("kind", ["INDEX", "CURRENCY"])
def test_an_index_needs_no_currency_volume_or_adjusted_close(
    yahoo, scrape, csv, kind
):
    chart, meta, quote, _ = parts(yahoo)
    meta.update(instrumentType=kind, currency=None, exchangeName="SNP")
    quote["volume"] = [None] * ROWS
    del chart["indicators"]["adjclose"]
    assert scrape("AAPL")[0] == 0
    history = prices.read_csv(csv)
    assert (history["Volume"] == 0).all()
    assert np.allclose(history["Close"], quote["close"], atol=1e-6)


def test_too_many_bad_rows_are_refused_with_a_way_out(yahoo, scrape, csv):
    parts(yahoo)[2]["open"][:50] = [0] * 50
    sound = HISTORY.index[50].date()  # the message proposes it
    refuses(scrape, csv, "50 of 500 rows", "not positive", f"--start {sound}")
    csv.unlink()
    saves(scrape, csv, HISTORY[50:], arguments=["--start", str(sound)])


def test_all_null_rows_fail(yahoo, scrape, csv):
    for name, values in parts(yahoo)[2].items():
        parts(yahoo)[2][name] = [None] * len(values)
    refuses(scrape, csv, "no usable row in 500: a price is missing;")


def test_no_rows_at_all_fail(yahoo, scrape, csv):
    chart = parts(yahoo)[0]
    del chart["timestamp"]
    chart["indicators"] = {"quote": [{}], "adjclose": [{}]}
    yahoo.always["AAPL"] = body(upstream.document(chart))
    refuses(scrape, csv, "no rows")


# ---- order, days


def reorder(yahoo, order):
    chart, _, quote, adjusted = parts(yahoo)
    for lists in [chart, quote, adjusted]:
        for name, values in lists.items():
            if isinstance(values, list):
                lists[name] = [values[i] for i in order]


def test_rows_out_of_order_are_sorted(yahoo, scrape, csv):
    reorder(yahoo, np.random.default_rng(0).permutation(ROWS))
    saves(scrape, csv)


def test_of_identical_duplicates_one_is_kept(yahoo, scrape, csv):
    reorder(yahoo, [*range(ROWS), 7, 7, 480, ROWS - 1])
    saves(scrape, csv)


@pytest.mark.parametrize("row", [7, ROWS - 1])
@pytest.mark.parametrize("field", [*FIELDS, "volume"])
def test_conflicting_duplicates_fail(yahoo, scrape, csv, row, field):
    reorder(yahoo, [*range(ROWS), row])
    parts(yahoo)[2][field][-1] *= 1.001
    if field in FIELDS:  # low ≤ open, close ≤ high must still hold
        quote = parts(yahoo)[2]
        quote["high"][-1] = 1.01 * quote["high"][-1]
    date = HISTORY.index[row].date()
    refuses(scrape, csv, f"two different bars for {date}")


def test_the_live_quote_after_the_close_is_the_last_bar(yahoo, scrape, csv):
    reorder(yahoo, [*range(ROWS), ROWS - 1])
    chart, meta, quote, _ = parts(yahoo)
    chart["timestamp"][-1] = meta["regularMarketTime"]
    quote["volume"][-1] += 12
    history = HISTORY.copy()
    history.iloc[-1, 4] += 12
    saves(scrape, csv, history)


def in_progress(yahoo):
    _, meta, _, _ = parts(yahoo)
    meta["regularMarketTime"] = (
        meta["currentTradingPeriod"]["regular"]["end"] - 3600
    )


def test_a_bar_in_progress_is_dropped_and_saved_when_final(yahoo, scrape, csv):
    final = copy.deepcopy(yahoo.charts["AAPL"])
    in_progress(yahoo)
    parts(yahoo)[2]["volume"][-1] //= 2
    saves(scrape, csv, HISTORY[:-1], "still in progress")
    yahoo.charts["AAPL"] = final
    saves(scrape, csv)


def test_live_bar_keeps_the_bar_in_progress(yahoo, scrape, csv):
    in_progress(yahoo)
    saves(scrape, csv, arguments=["--live-bar"])
    # Without the option it goes again; that is no history getting shorter.
    saves(scrape, csv, HISTORY[:-1], "still in progress")


def test_a_bar_of_today_is_dropped_where_yahoo_does_not_say(
    yahoo, scrape, csv
):
    chart, meta, _, _ = parts(yahoo)
    del meta["currentTradingPeriod"], meta["regularMarketTime"]
    meta.update(exchangeName="XXX", exchangeTimezoneName="UTC")
    today = pd.Timestamp.now("UTC").normalize()
    chart["timestamp"] = [
        int(today.timestamp()) - DAY * i for i in reversed(range(ROWS))
    ]
    assert scrape("AAPL")[0] == 0
    yesterday = (today - pd.Timedelta(days=1)).tz_localize(None)
    assert prices.read_csv(csv).index[-1] == yesterday


def test_bars_of_the_future_are_dropped(yahoo, scrape, csv):
    chart, meta, _, _ = parts(yahoo)
    chart["timestamp"][-2:] = [3_000_000_000, 3_000_086_400]
    yahoo.always["AAPL"] = body(upstream.document(chart))
    saves(scrape, csv, HISTORY[:-2], "dated in the future")


@pytest.mark.parametrize("unit", [1000, 1e-3, -1000])
def test_timestamps_in_another_unit_are_refused(yahoo, scrape, csv, unit):
    chart = parts(yahoo)[0]
    chart["timestamp"] = [int(t * unit) for t in chart["timestamp"]]
    yahoo.always["AAPL"] = body(upstream.document(chart))
    refuses(scrape, csv)


def test_midnight_stamped_an_hour_early_is_the_next_day():
    zone = "America/Sao_Paulo"
    for hour in ["2022-01-16 22:00", "2022-01-16 23:00", "2022-01-17 10:00"]:
        stamp = int(pd.Timestamp(hour, tz=zone).timestamp())
        assert reply._dates([stamp], zone)[0] == pd.Timestamp("2022-01-17")


def test_dates_before_1970_are_dates(yahoo, scrape, csv):
    chart, meta, _, _ = parts(yahoo)
    meta["exchangeName"] = "XXX"
    shift = int(pd.Timedelta(days=365 * 35).total_seconds())
    chart["timestamp"] = [t - shift for t in chart["timestamp"]]
    assert scrape("AAPL")[0] == 0
    assert prices.read_csv(csv).index[0].year == 1965


def test_days_the_exchange_was_closed_are_dropped(yahoo, scrape, csv):
    reorder(yahoo, [*range(ROWS), 10, 200])
    saturday = pd.DatetimeIndex(["2001-07-04", "2001-07-07"])
    parts(yahoo)[0]["timestamp"][-2:] = upstream.stamps(saturday)
    words = ["dropped 2001-07-04, 2001-07-07: the exchange was closed"]
    saves(scrape, csv, HISTORY, *words)


# ---- the history as a whole


def test_a_real_fall_of_52_percent_is_kept(scrape, csv):
    saves(scrape, csv)
    step = prices.read_csv(csv)["Close"].pct_change()
    assert step.min() == pytest.approx(-0.519, abs=1e-3)
    assert step.idxmin() == pd.Timestamp("2000-09-29")


@pytest.mark.parametrize("factor", [100, 0.01])
@pytest.mark.parametrize("rows", [slice(7, 8), slice(300, None)])
def test_a_slip_of_units_is_refused(yahoo, scrape, csv, factor, rows):
    _, _, quote, adjusted = parts(yahoo)
    for name in [*FIELDS, "adjclose"]:
        values = (quote | adjusted)[name]
        values[rows] = [v * factor for v in values[rows]]
    date = HISTORY.index[rows][0].date()
    refuses(scrape, csv, f"{date}: the close moves more than 8-fold")


@pytest.mark.parametrize("ratio", [2, 7, 0.1])
def test_a_split_left_in_the_prices_is_refused(yahoo, scrape, csv, ratio):
    chart, _, quote, adjusted = parts(yahoo)
    for name in [*FIELDS, "adjclose"]:
        values = (quote | adjusted)[name]
        values[:300] = [v * ratio for v in values[:300]]
    stamp = chart["timestamp"][300]
    split = {"date": stamp, "numerator": ratio, "denominator": 1}
    chart["events"]["splits"] = {str(stamp): split}
    refuses(scrape, csv, f"{HISTORY.index[300].date()}: ")


def test_a_split_since_the_last_run_rewrites_the_whole_history(
    yahoo, scrape, csv
):
    saves(scrape, csv)
    chart, _, quote, adjusted = parts(yahoo)
    for name in [*FIELDS, "adjclose"]:
        (quote | adjusted)[name][:] = [v / 2 for v in (quote | adjusted)[name]]
    stamp = chart["timestamp"][-1]
    split = {"date": stamp, "numerator": 2, "denominator": 1}
    chart["events"]["splits"] = {str(stamp): split}
    before = prices.read_csv(csv)
    assert scrape("AAPL")[0] == 0
    after = prices.read_csv(csv)
    assert np.allclose(after["Close"], before["Close"] / 2, atol=1e-6)
    assert np.allclose(
        after["Close"].pct_change()[1:],
        before["Close"].pct_change()[1:],
        atol=1e-5,
    )


def test_a_dividend_since_the_last_run_rewrites_the_whole_history(
    yahoo, scrape, csv
):
    saves(scrape, csv)
    adjusted = parts(yahoo)[3]["adjclose"]
    adjusted[:490] = [v * 0.98 for v in adjusted[:490]]
    assert scrape("AAPL")[0] == 0
    history = prices.read_csv(csv)
    ratio = history["Close"] / HISTORY["Close"]
    assert np.allclose(ratio[:490], 0.98, atol=1e-5)
    assert np.allclose(ratio[490:], 1)


def test_a_dividend_in_pence_is_refused(yahoo, scrape, csv):
    # 0.5 % of the price taken for 50 %: all rows before it are halved.
    adjusted = parts(yahoo)[3]["adjclose"]
    adjusted[:300] = [v / 2 for v in adjusted[:300]]
    refuses(scrape, csv, f"{HISTORY.index[300].date()}: the adjustment")


def test_a_small_gap_is_reported(yahoo, scrape, csv):
    gone = [20, 21, 300]
    reorder(yahoo, [i for i in range(ROWS) if i not in gone])
    dates = ", ".join(str(d.date()) for d in HISTORY.index[gone])
    words = [f"3 sessions of XNAS are missing: {dates}"]
    saves(scrape, csv, HISTORY.drop(HISTORY.index[gone]), *words)


@pytest.mark.parametrize(
    "gone",
    [range(100, 120), range(1, 400), range(5, 490, 20)],
    ids=["a month", "most", "every twentieth"],
)
def test_a_large_gap_is_refused_unless_forced(yahoo, scrape, csv, gone):
    gone = list(gone)
    reorder(yahoo, [i for i in range(ROWS) if i not in gone])
    csv_words = [f"{len(gone)} of 500 sessions of XNAS are missing"]
    refuses(scrape, csv, *csv_words, "--force")
    left = HISTORY.drop(HISTORY.index[gone])
    saves(scrape, csv, left, *csv_words, arguments=["--force"])


def test_a_gap_elsewhere_is_only_reported(yahoo, scrape, csv):
    parts(yahoo)[1].update(exchangeName="LSE", currency="GBp")
    reorder(yahoo, range(0, ROWS, 2))
    saves(scrape, csv, HISTORY[::2], "sessions of XLON are missing")


def test_an_exchange_without_a_calendar_is_not_compared(yahoo, scrape, csv):
    parts(yahoo)[1]["exchangeName"] = "XXX"
    reorder(yahoo, range(0, ROWS, 2))
    saves(scrape, csv, HISTORY[::2])


@pytest.mark.parametrize("said", ["1d", "1wk"])
@pytest.mark.parametrize("exchange", ["NMS", "XXX"])
def test_weekly_bars_are_refused(yahoo, scrape, csv, said, exchange):
    meta = parts(yahoo)[1]
    meta.update(dataGranularity=said, exchangeName=exchange)
    reorder(yahoo, range(0, ROWS, 5))
    refuses(scrape, csv)


def test_intraday_bars_are_refused(yahoo, scrape, csv):
    chart = parts(yahoo)[0]
    start = chart["timestamp"][0]
    chart["timestamp"] = [start + 60 * i for i in range(ROWS)]
    refuses(scrape, csv)


def test_a_history_that_starts_later_than_asked_is_refused(yahoo, scrape, csv):
    late = ["--start", "1990-01-02"]
    refuses(
        scrape,
        csv,
        "starts on 2000-03-01, not on 1990",
        arguments=["AAPL", *late],
    )
    csv.unlink()
    saves(scrape, csv, HISTORY, "1990", arguments=[*late, "--force"])


def test_only_the_range_asked_is_saved(yahoo, scrape, csv):
    # Whatever Yahoo sends beyond it; the end is excluded.
    chart = upstream.document(yahoo.charts["AAPL"])
    yahoo.always["AAPL"] = body(chart)
    span = ["--start", "2000-06-01", "--end", "2001-05-31"]
    saves(scrape, csv, HISTORY["2000-06-01":"2001-05-30"], arguments=span)


def test_a_shorter_history_is_refused_unless_forced(yahoo, scrape, csv):
    saves(scrape, csv)
    for order in [range(ROWS - 1), range(1, ROWS), range(250)]:
        full = copy.deepcopy(yahoo.charts["AAPL"])
        reorder(yahoo, order)
        code, out, err = scrape("AAPL")
        assert (code, out) == (1, "")
        assert f"lacks {ROWS - len(order)} sessions" in err
        assert "--force" in err
        assert csv.read_bytes() == bytes_of(HISTORY)
        yahoo.charts["AAPL"] = full
    reorder(yahoo, range(250))
    saves(scrape, csv, HISTORY[:250], "lacks", arguments=["--force"])


def test_a_last_bar_gone_null_does_not_shorten_the_history(yahoo, scrape, csv):
    saves(scrape, csv)
    parts(yahoo)[2]["close"][-1] = None
    assert scrape("AAPL")[0] == 1
    assert csv.read_bytes() == bytes_of(HISTORY)


def priced(yahoo, table, days, **meta):
    """Let the stand-in serve prices of our own; returns the history."""
    history = pd.DataFrame(table, days, ["Open", "High", "Low", "Close"])
    history["Volume"] = meta.pop("volume", 1000)
    chart = upstream.chart("AAPL", history)
    chart["indicators"]["quote"][0] |= {
        name.lower(): history[name].tolist() for name in history
    }
    chart["meta"] |= meta
    yahoo.charts["AAPL"] = chart
    return history


@pytest.mark.parametrize("price", [0.0001234567, 0.01, 500_000.0])
def test_a_price_of_any_size_keeps_its_digits(yahoo, scrape, csv, price):
    close = price * (1 + 0.001 * np.arange(ROWS))
    table = np.c_[close, close * 1.01, close * 0.99, close]
    priced(yahoo, table, HISTORY.index)
    assert scrape("AAPL")[0] == 0
    content = csv.read_bytes()
    history = prices.read_csv(csv)
    assert np.allclose(history.iloc[:, :4], table, rtol=6e-5, atol=0)
    if price < 0.001:  # at six decimals, steps of 0.1 % would be lost
        assert np.allclose(history.iloc[:, :4], table, rtol=6e-6, atol=0)
    assert prices.to_csv(history).encode() == content


def test_a_month_without_trade_is_kept(yahoo, scrape, csv):
    table = HISTORY.iloc[:, :4].to_numpy().copy()
    table[100:125] = table[100, 3]
    history = priced(yahoo, table, HISTORY.index)
    yahoo.charts["AAPL"]["indicators"]["quote"][0]["volume"][100:125] = [
        0
    ] * 25
    history.iloc[100:125, 4] = 0
    saves(scrape, csv, history)


def test_a_coin_trades_every_day(yahoo, scrape, csv):
    days = pd.date_range("2001-01-01", periods=ROWS, name="Date")
    meta = {"exchangeName": "CCC", "instrumentType": "CRYPTOCURRENCY"}
    table = HISTORY.iloc[:, :4].to_numpy()
    saves(scrape, csv, priced(yahoo, table, days, **meta))


def test_a_history_since_1962_is_kept(yahoo, scrape, csv):
    days = calendar("XNYS")
    days = days[(days >= "1962-01-02") & (days < "1990")].rename("Date")
    table = np.full((len(days), 4), 7.0)
    meta = {"exchangeName": "NYQ"}
    saves(scrape, csv, priced(yahoo, table, days, **meta))


# ---- foreign and malformed replies


def _set(path, value):
    """An edit of the chart: `a.b.0` ← value, or gone where it is None."""

    def edit(chart):
        *parents, last = path.split(".")
        for name in parents:
            chart = chart[int(name) if name.isdigit() else name]
        if value is ...:
            del chart[last]
        else:
            chart[int(last) if last.isdigit() else last] = value

    return edit


MALFORMED = {
    "another symbol": (_set("meta.symbol", "MSFT"), "it is about MSFT"),
    "no symbol": (_set("meta.symbol", ...), "symbol"),
    "symbol is a number": (_set("meta.symbol", 7), "format"),
    "another currency": (_set("meta.currency", "EUR"), "prices in EUR"),
    "weeks": (_set("meta.dataGranularity", "1wk"), "1wk, not 1d"),
    "no meta": (_set("meta", ...), "meta"),
    "meta is a list": (_set("meta", []), "format"),
    "no time zone": (_set("meta.exchangeTimezoneName", ...), "format"),
    "odd time zone": (_set("meta.exchangeTimezoneName", "Mars/X"), "format"),
    "session is text": (
        _set("meta.currentTradingPeriod.regular.end", "soon"),
        "format",
    ),
    "one list short": (
        _set("indicators.quote.0.open", [1.0] * 499),
        "different lengths",
    ),
    "no closes": (_set("indicators.quote.0.close", ...), "close"),
    "null closes": (_set("indicators.quote.0.close", None), "format"),
    "text": (_set("indicators.quote.0.close.7", "3.50"), "not a number"),
    "truth": (_set("indicators.quote.0.close.7", True), "not a number"),
    "list": (_set("indicators.quote.0.close.7", [1]), "not a number"),
    "huge": (_set("indicators.quote.0.close.7", 10**400), "format"),
    "no adjusted": (_set("indicators.adjclose", ...), "no adjusted closes"),
    "adjusted is null": (_set("indicators.adjclose", None), "format"),
    "no quote": (_set("indicators.quote", []), "format"),
    "two quotes": (_set("indicators.quote", [{}, {}]), "format"),
    "stamp is null": (_set("timestamp.7", None), "whole number"),
    "stamp is text": (_set("timestamp.7", "2001-01-02"), "whole number"),
    "stamp is true": (_set("timestamp.7", True), "whole number"),
    "stamp is a fraction": (_set("timestamp.7", 9.5e8), "whole number"),
    "stamp in ms": (_set("timestamp.7", 951921000000), "in seconds"),
    "stamp is huge": (_set("timestamp.7", 10**30), "in seconds"),
    "splits by zero": (
        _set(
            "events.splits",
            {"1": {"date": 1, "numerator": 1, "denominator": 0}},
        ),
        "format",
    ),
}


@pytest.mark.parametrize("edit, word", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_reply_is_refused(yahoo, scrape, csv, edit, word):
    chart = yahoo.charts["AAPL"]
    edit(chart)
    yahoo.always["AAPL"] = body(upstream.document(chart))
    refuses(scrape, csv, word, "tries")


@pytest.mark.parametrize(
    "content",
    ["null", "[]", "7", '"chart"', "{}", '{"chart": null}', '{"chart": []}']
    + ['{"chart": {"result": {"a": 1}}}', '{"chart": {"result": [null]}}'],
)
def test_json_of_another_shape_is_refused(yahoo, scrape, csv, content):
    yahoo.always["AAPL"] = body(content)
    refuses(scrape, csv, "not Yahoo's format")


def test_a_key_that_stands_twice_is_refused(yahoo, scrape, csv):
    text = upstream.document(yahoo.charts["AAPL"]).decode()
    yahoo.always["AAPL"] = body(text.replace('"close":', '"open":', 1))
    refuses(scrape, csv, "not JSON")


# ---- properties

FAULTS = st.sampled_from(
    [None, 0, -1.5, 1e308, float("inf"), float("nan"), 1e-9]
)
EDITS = st.lists(
    st.tuples(
        st.integers(0, 119),
        st.sampled_from([*FIELDS, "adjclose", "volume"]),
        FAULTS,
    ),
    max_size=12,
)


@given(
    edits=EDITS,
    repeated=st.lists(st.integers(0, 119), max_size=5),
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
    (quote,) = chart["indicators"]["quote"]
    (adjusted,) = chart["indicators"]["adjclose"]
    for row, name, value in edits:
        (quote | adjusted)[name][row] = value
    order = [*range(120), *repeated]
    shuffled.shuffle(order)
    for lists in [chart, quote, adjusted]:
        for name, values in lists.items():
            if isinstance(values, list):
                lists[name] = [values[i] for i in order]
    try:
        checked = validate(parse(upstream.document(chart), "AAPL"))
    except Refused:
        return
    path = tmp_path / "AAPL.csv"
    content = bytes_of(checked.history)
    write(content, path)

    back = prices.read_csv(path)
    pd.testing.assert_frame_equal(
        back, checked.history, check_freq=False, check_index_type=False
    )
    assert np.isfinite(back.to_numpy()).all()
    assert (back[["Open", "High", "Low", "Close"]] > 0).all(axis=None)
    assert back.index.is_monotonic_increasing
    assert back.index.is_unique
    assert (back["High"] >= back[["Open", "Low", "Close"]].max(axis=1)).all()
    assert (back["Low"] <= back[["Open", "High", "Close"]].min(axis=1)).all()
    assert bytes_of(back) == content
    # Rows nobody touched are there, and nothing was invented.
    touched = {history.index[row] for row, _, _ in edits}
    assert set(history.index) - touched <= set(back.index)
    assert set(checked.dropped) <= touched
    intact = [d for d in back.index if d not in touched]
    assert bytes_of(back.loc[intact]) == bytes_of(history.loc[intact])


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
PLACES = ["meta", "timestamp", "indicators", "events", "meta.symbol"] + [
    "meta.exchangeTimezoneName",
    "meta.currentTradingPeriod",
    "meta.regularMarketTime",
    "meta.currentTradingPeriod.regular.start",
    "indicators.quote",
    "indicators.quote.0",
    "indicators.quote.0.close",
    "indicators.quote.0.volume",
    "indicators.adjclose",
    "indicators.adjclose.0",
    "events.splits",
    "events.dividends",
]


@given(st.sampled_from(PLACES), JSON)
@settings(max_examples=200, deadline=None)
def test_any_part_may_be_anything(place, value):
    chart = upstream.chart("AAPL", HISTORY[:20])
    _set(place, value)(chart)
    try:
        checked = validate(
            parse(json.dumps({"chart": {"result": [chart]}}), "AAPL")
        )
    except Refused:
        return
    prices.check(checked.history, "AAPL")
