"""Download: many tickers side by side, each asked again until it works."""

import queue
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import tenacity
from tqdm import tqdm

from forecasting.console import brief, say
from forecasting.market import calendars, prices
from forecasting.market.reply import Reply, parse
from forecasting.market.request import (
    Faulty,
    NoPrices,
    Refused,
    Request,
    normalise_all,
)
from forecasting.market.store import final, previous, write_history
from forecasting.market.validate import validate
from forecasting.market.yahoo import Client, fetch

LAST_WRITE = 0.5  # seconds that Ctrl-C leaves to what is being written
MANY = 10  # tickers whose failures are summed up at the end ...
SHOWN = 8  # ... with so many names for one cause
HOPELESS = 12  # tickers in a row that Yahoo fails: the rest are not asked


def download(
    tickers: list[str],
    folder: Path,
    request: Request | None = None,
    client: Client | None = None,
    verbose: bool = False,
) -> int:
    """Save `folder/TICKER.csv` for each ticker; an exit code.

    0: all are saved; 1: one is not, and a line on stderr says why; 130:
    Ctrl-C, after which the requests under way are left to themselves. Where
    many are asked, stderr ends with what failed, a line for each cause.
    """
    client, request = client or Client(), request or Request()
    names, refused = normalise_all(tickers)
    paths = {name: folder / f"{name}.csv" for name in names}
    results: dict[str, list[str] | Exception] = {**refused}

    def work(ticker: str) -> list[str]:
        return update(ticker, paths[ticker], request, client)

    threads, done = side_by_side(work, names, client.manners.workers)
    single = True if len(paths) < 2 else None  # None: only on a terminal
    bar = tqdm(
        done, total=len(paths), unit="ticker", leave=False, disable=single
    )
    stopped, failing = "", deque[bool](maxlen=HOPELESS)
    try:
        for ticker, result in bar:
            results[ticker] = result
            tell(ticker, result, paths[ticker], verbose)
            failing.append(isinstance(result, Faulty))
            if sum(failing) == HOPELESS:  # to go on would not be polite
                stopped = f"stopped after {HOPELESS} failures in a row"
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
    if stopped:  # ask for nothing more, finish what is being written
        client.stopped.set()
        end = time.monotonic() + LAST_WRITE
        for thread in threads:
            thread.join(max(0, end - time.monotonic()))
    failed = {t: r for t, r in results.items() if isinstance(r, Exception)}
    if failed and len(tickers) > MANY:
        sum_up(failed, len(tickers))
    if stopped:
        say(
            f"{stopped}: {len(results) - len(failed)} of {len(paths)} tickers "
            "are saved; run the same command again for the rest"
        )
    return 130 if stopped == "interrupted" else 1 if failed else 0


def tell(
    ticker: str, result: list[str] | Exception, path: Path, verbose: bool
) -> None:
    """Print what came of a ticker: on stderr what a reader should know."""
    if isinstance(result, Exception):
        if verbose:
            say("".join(traceback.format_exception(result)).rstrip())
        say(f"{ticker}: {explain(ticker, result, path)}")
        return
    summary, *notes = result
    for note in notes:
        say(f"{ticker}: {note}")
    tqdm.write(f"{ticker}: {summary}")


def update(
    ticker: str, path: Path, request: Request, client: Client
) -> list[str]:
    """Bring one CSV up to date: a summary, then notes; or Refused, OSError."""
    if path.is_dir():
        raise Refused(f"{path} is a directory; move it away")
    start, end = request.start, request.end
    if request.resume and (day := holds(path, ticker, end)):
        return [f"{path} holds its last closed session, {day.date()}"]
    reply = ask(ticker, request, client)  # fetch and parse
    checked = validate(reply, start, end, request.live_bar)
    prices.check(checked.history, ticker)
    if client.stopped.is_set():
        raise Refused("interrupted; run again")
    written = write_history(checked, path, request.force)
    first, last = checked.history.index[[0, -1]]
    rows = f"{len(checked.history)} rows, {first.date()} to {last.date()}"
    summary = f"{rows}, {path}" + ("" if written else ", unchanged")
    return [summary, *checked.report()]


def holds(path: Path, ticker: str, end: date | None) -> pd.Timestamp | None:
    """The last closed session before `end`, where a sound CSV has it.

    All of it: a bar that was in progress when it was saved is not final.
    """
    last = calendars.last_closed(ticker, end)
    history, _ = previous(path)
    if history is None or last is None or history.index[-1] < last:
        return None
    return last if final(path, history) else None


def ask(ticker: str, request: Request, client: Client) -> Reply:
    """Fetch and parse, again and again until it works or time is up."""
    deadline = time.monotonic() + request.timeout

    def wait(state) -> float:
        pause = client.manners.pause * 2 ** min(state.attempt_number - 1, 3)
        pause *= random.uniform(0.75, 1.25)
        return max(pause, state.outcome.exception().after)

    def stop(state) -> bool:
        seconds = state.seconds_since_start + state.upcoming_sleep
        tries = min(client.manners.tries, state.outcome.exception().tries)
        return seconds > request.timeout or state.attempt_number >= tries

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Faulty),
        wait=wait,
        stop=stop,
        sleep=tenacity.sleep_using_event(client.stopped),  # Ctrl-C
        reraise=True,
    )
    def attempt() -> Reply:
        content = fetch(ticker, request.start, request.end, client, deadline)
        return parse(content, ticker)

    try:
        return attempt()
    except NoPrices as error:
        span = f"from {request.start or 'the first'} to {request.end or 'now'}"
        raise Refused(
            f"no prices {span} ({error}); check the ticker, --start and --end"
        ) from error
    except Faulty as error:
        tries = attempt.statistics["attempt_number"]
        patience = f"in {error.after:.0f} s" if error.after else "later"
        told = f"{error}; {tries} tries, run again {patience}"
        raise Faulty(told) from error


def side_by_side(
    work: Callable[[str], list[str]], tickers: list[str], workers: int
) -> tuple[list[threading.Thread], Iterator[tuple]]:
    """Threads at work, and (ticker, what came of it) as each is finished.

    What came of it is an exception where the work raised one. The threads
    are daemons: Python does not wait at its end for a request that hangs.
    """
    todo: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple] = queue.SimpleQueue()
    for ticker in [*tickers, *[None] * workers]:  # None: a thread's end
        todo.put(ticker)

    def run() -> None:
        for ticker in iter(todo.get, None):
            try:
                done.put((ticker, work(ticker)))
            except Exception as error:
                done.put((ticker, error))

    def results() -> Iterator[tuple]:
        for _ in tickers:
            while done.empty():  # on Windows, Ctrl-C cannot end a wait
                time.sleep(0.02)
            yield done.get()

    count = min(workers, len(tickers))
    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results()


def sum_up(failed: dict[str, Exception], total: int) -> None:
    """What failed of many tickers: a line for each cause, commonest first."""
    causes: dict[str, list[str]] = {}
    for ticker, error in failed.items():
        cause = str(getattr(error, "strerror", None) or error)
        cause = cause.removeprefix(f"{ticker}: ").partition(";")[0]
        causes.setdefault(brief(cause), []).append(ticker)
    say(f"{len(failed)} of {total} tickers are not saved:")
    for cause, names in sorted(causes.items(), key=lambda c: -len(c[1])):
        more = len(names) - SHOWN
        shown = ", ".join(names[:SHOWN]) + (f", {more} more" * (more > 0))
        say(f"  {cause}: {len(names)} ({shown})")


def explain(ticker: str, error: Exception, path: Path) -> str:
    """Why a ticker failed, what to do, and what is still on disk."""
    if isinstance(error, OSError):
        reason = f"cannot write {path} ({brief(error.strerror or error)})"
    elif isinstance(error, Refused | prices.PriceError):
        reason = str(error).removeprefix(f"{ticker}: ")
    else:
        kind = type(error).__name__
        reason = f"unexpected {kind}: {brief(error)}; --verbose tells where"
    old, _ = previous(path)
    if old is not None:
        reason += f"; {path} still holds the history to {old.index[-1].date()}"
    return reason
