"""Sending alerts to people: within a deadline, retried, lost nowhere and sent once.

What could not be delivered waits in the outbox, a JSON file beside the database, and goes out with
the next run. The outbox also remembers what each receiver got, so that an alert that lasts is
not sent twice; once it has gone, it is forgotten, and sent again when it comes back.
"""

import fcntl
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from wardhouse.private_files import create_private, create_private_directory, write_private
from wardhouse.warehouse import HeldError, open_to_read

COLUMNS = ("area", "alert_type", "severity", "message", "metric", "value", "threshold", "as_of")
SEVERITIES = ("HIGH", "MEDIUM", "LOW")
DEADLINE_SECONDS = 60.0


class AlertError(Exception):
    """The alerts cannot be read, or the settings mean nothing."""


class RefusedError(Exception):
    """A delivery that trying again at once cannot mend."""


@dataclass(frozen=True)
class Alert:
    """One row of `quality.alerts`."""

    area: str
    alert_type: str
    severity: str
    message: str
    metric: str
    value: float
    threshold: float
    as_of: str

    @property
    def key(self) -> str:
        """What makes an alert the same one in the next run, whatever its value and the clock."""
        parts = "\x1f".join((self.area, self.alert_type, self.severity, self.metric))
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    @property
    def line(self) -> str:
        """The alert as one line of text."""
        return f"{self.severity} {self.area} {self.alert_type}: {self.message}"


@dataclass(frozen=True)
class Channel:
    """A receiver of alerts.

    `send` gets the alerts to send and raises when they did not arrive. The text of its `OSError`
    or `RefusedError` is shown, so it holds no secret. A channel that `takes_all` is given
    every alert of now, each time, instead of only what is new.
    """

    name: str
    send: Callable[[Sequence[Alert]], None]
    takes_all: bool = False


@dataclass
class Delivery:
    """How telling one receiver went: how many alerts, after how many attempts, and what failed.

    `is_unrecorded` says that they arrived, but that the outbox could not be written.
    """

    channel: str
    n_alerts: int
    n_attempts: int
    error: str = ""
    is_unrecorded: bool = False


@dataclass
class Outbox:
    """What still waits for each receiver, and the keys of what each got."""

    path: Path
    pending: dict[str, list[Alert]] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)

    def save(self) -> None:
        """Write the outbox under a temporary name, and rename it when it is whole."""
        state = {
            "pending": {
                name: [asdict(alert) for alert in alerts]
                for name, alerts in self.pending.items()
                if alerts
            },
            "told": {name: keys for name, keys in self.told.items() if keys},
        }
        if self.path.exists() or any(state.values()):
            write_private(self.path, json.dumps(state, indent=1))


def read_alerts(database: Path) -> list[Alert]:
    """Read `quality.alerts`, the most severe first.

    Parameters
    ----------
    database
        The DuckDB file, opened read-only.

    Returns
    -------
    list of Alert
        Evaluated now, or as of the clock that the build was given.

    Raises
    ------
    AlertError
        When there is no database, a build holds it, or it knows no alerts yet.
    """
    import duckdb

    if not database.is_file():
        raise AlertError(f"no warehouse at {database} (WARDHOUSE_DB): run `dbt build` first")
    query = f"""
        select {", ".join(COLUMNS[:-1])}, as_of::varchar
        from quality.alerts
        order by
            list_position({list(SEVERITIES)}, severity), area, alert_type, metric
    """  # noqa: S608 - names from this module
    try:
        with open_to_read(database) as connection:
            return [Alert(*row) for row in connection.execute(query).fetchall()]
    except duckdb.CatalogException as error:
        raise AlertError(f"{database} holds no alerts: run `dbt build` first") from error
    except HeldError as error:
        raise AlertError(str(error)) from error
    except duckdb.Error as error:
        raise AlertError(f"quality.alerts of {database} cannot be read: {error}") from error


def closing_severities(gate: str) -> tuple[str, ...]:
    """Name the severities that a gate does not let pass: its own and all above; `none` has none.

    Raises
    ------
    AlertError
        When there is no such severity.
    """
    if gate.lower() == "none":
        return ()
    if gate.upper() not in SEVERITIES:
        raise AlertError(f"--gate is one of {', '.join(SEVERITIES)} and none, not {gate!r}")
    return SEVERITIES[: SEVERITIES.index(gate.upper()) + 1]


@contextmanager
def open_outbox(path: Path) -> Iterator[Outbox]:
    """Open the outbox for this process alone; a damaged one is kept under another name."""
    create_private_directory(path.parent)
    lock_path = path.with_name(f"{path.name}.lock")
    create_private(lock_path)
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outbox = Outbox(path)
        if path.exists():
            try:
                state = json.loads(path.read_text(encoding="utf-8"))
                outbox.pending = {
                    name: [Alert(**alert) for alert in alerts]
                    for name, alerts in state["pending"].items()
                }
                outbox.told = {name: list(keys) for name, keys in state["told"].items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                path.replace(path.with_name(f"{path.name}.damaged-{time.time_ns()}"))
                outbox = Outbox(path)
        yield outbox


def deliver(
    alerts: Sequence[Alert],
    channels: Sequence[Channel],
    outbox: Outbox,
    attempts: int = 3,
    pause_seconds: float = 1.0,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> list[Delivery]:
    """Tell every receiver what it does not know yet.

    What is to be sent is written to the outbox before anything is sent, and taken out as soon as it
    arrived, so that nothing is lost if the process dies.

    Parameters
    ----------
    alerts
        The alerts there are now.
    channels
        The receivers.
    outbox
        Opened by `open_outbox`.
    attempts
        Tries for each receiver, at least one.
    pause_seconds
        Wait after the first failed try; it doubles with every further one.
    deadline_seconds
        What telling everybody may take. Each receiver has an equal share of what is left, so that
        a slow one takes nothing from those behind it.

    Returns
    -------
    list of Delivery
        One for each receiver that something was sent or to be sent to.
    """
    standing = {alert.key: alert for alert in alerts}
    for channel in channels:
        known = set(outbox.told.get(channel.name, ()))
        waiting = {alert.key: alert for alert in outbox.pending.get(channel.name, ())}
        new = {key: alert for key, alert in standing.items() if key not in known}
        outbox.pending[channel.name] = list({**waiting, **new}.values())
        outbox.told[channel.name] = sorted(known & set(standing))
    outbox.save()
    deliveries = []
    deadline = time.monotonic() + deadline_seconds
    for position, channel in enumerate(channels):
        pending = outbox.pending[channel.name]
        if not pending and not channel.takes_all:
            continue
        sent = pending
        if channel.takes_all:
            sent = list({**{alert.key: alert for alert in pending}, **standing}.values())
        share = (deadline - time.monotonic()) / (len(channels) - position)
        delivery = _attempt(channel, sent, attempts, pause_seconds, share)
        deliveries.append(delivery)
        if not delivery.error:
            outbox.pending[channel.name] = []
            arrived = {alert.key for alert in sent} & set(standing)
            outbox.told[channel.name] = sorted(arrived | set(outbox.told[channel.name]))
            try:
                outbox.save()
            except OSError as error:
                delivery.error, delivery.is_unrecorded = f"{type(error).__name__}: {error}", True
    return deliveries


def _attempt(
    channel: Channel,
    alerts: Sequence[Alert],
    attempts: int,
    pause_seconds: float,
    seconds: float = DEADLINE_SECONDS,
) -> Delivery:
    delivery = Delivery(channel.name, len(alerts), 0)
    deadline = time.monotonic() + seconds
    while True:
        delivery.n_attempts += 1
        try:
            _send(channel, alerts, deadline - time.monotonic())
        except RefusedError as error:
            delivery.error = str(error)
            return delivery
        except OSError as error:
            delivery.error = f"{type(error).__name__}: {error}"
        except Exception as error:  # its text may hold what was sent, so its name has to do
            delivery.error = type(error).__name__
        else:
            delivery.error = ""
            return delivery
        pause = pause_seconds * 2 ** (delivery.n_attempts - 1)
        if delivery.n_attempts >= attempts or time.monotonic() + pause >= deadline:
            return delivery
        time.sleep(pause)


def _send(channel: Channel, alerts: Sequence[Alert], seconds: float) -> None:
    """Send in a thread that is left behind when time is up: a socket's timeout is for each read.

    A thread of its own, as an executor would wait for it when the process ends.
    """
    outcome: Future[None] = Future()

    def send() -> None:
        try:
            channel.send(alerts)
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=send, daemon=True).start()
    try:
        outcome.result(max(seconds, 0))
    except TimeoutError as error:
        raise TimeoutError("no complete answer in time") from error
