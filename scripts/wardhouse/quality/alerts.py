"""Telling people of alerts: e-mail, webhook or file, retried, lost nowhere and told once.

What could not be delivered waits in the outbox, a JSON file beside the database, and goes out with
the next run. The outbox also remembers what each receiver was told, so that an alert that stands is
not told twice; once it has gone, it is forgotten, and told anew when it comes back.
"""

import fcntl
import hashlib
import json
import os
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

COLUMNS = ("area", "alert_type", "severity", "message", "metric", "value", "threshold", "as_of")
TLS_MODES = ("auto", "starttls", "tls", "none")
TIMEOUT_SECONDS = 10
SMTP = "WARDHOUSE_ALERT_SMTP_"


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

    `send` gets the alerts to tell and raises when they did not arrive. A channel that
    `takes_all` is given everything that stands, each time, instead of only what is new.
    """

    name: str
    send: Callable[[Sequence[Alert]], None]
    takes_all: bool = False


@dataclass
class Delivery:
    """How telling one receiver went: how many alerts, after how many attempts, and what failed."""

    channel: str
    n_alerts: int
    n_attempts: int
    error: str = ""


@dataclass
class Outbox:
    """What still waits for each receiver, and the keys of what each was told."""

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
            _write_whole(self.path, json.dumps(state, indent=1))


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
            list_position(['HIGH', 'MEDIUM', 'LOW'], severity), area, alert_type, metric
    """  # noqa: S608 - names from this module
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            return [Alert(*row) for row in connection.execute(query).fetchall()]
    except duckdb.CatalogException as error:
        raise AlertError(f"{database} holds no alerts: run `dbt build` first") from error
    except duckdb.IOException as error:
        raise AlertError(
            f"{database} cannot be read, perhaps a build is running: {error}"
        ) from error


def channels_from(environment: Mapping[str, str]) -> list[Channel]:
    """Find the receivers that `WARDHOUSE_ALERT_*` variables name.

    Every e-mail address is a receiver of its own, so that one bad address costs the others nothing
    and nobody gets a message twice.

    Raises
    ------
    AlertError
        When the settings are incomplete or mean nothing.
    """
    channels = []
    if environment.get(f"{SMTP}HOST"):
        channels += _email_channels(environment)
    if url := environment.get("WARDHOUSE_ALERT_WEBHOOK_URL"):
        if not url.startswith(("https://", "http://")):
            raise AlertError("WARDHOUSE_ALERT_WEBHOOK_URL is no http or https address")
        channels.append(Channel("webhook", lambda alerts: post_webhook(url, alerts)))
    if path := environment.get("WARDHOUSE_ALERT_FILE"):
        channels.append(Channel("file", lambda alerts: write_file(Path(path), alerts), True))
    return channels


def _email_channels(environment: Mapping[str, str]) -> list[Channel]:
    receivers = [to.strip() for to in environment.get(f"{SMTP}TO", "").split(",") if to.strip()]
    sender = environment.get(f"{SMTP}FROM", "")
    tls = environment.get(f"{SMTP}TLS", "").lower() or "auto"
    if not receivers or not sender:
        raise AlertError(f"{SMTP}HOST is set: {SMTP}FROM and {SMTP}TO are needed too")
    if tls not in TLS_MODES:
        raise AlertError(f"{SMTP}TLS is one of {', '.join(TLS_MODES)}, not {tls!r}")
    port = environment.get(f"{SMTP}PORT") or ("465" if tls == "tls" else "587")
    if not port.isdigit():
        raise AlertError(f"{SMTP}PORT is a number, not {port!r}")
    server = MailServer(
        environment[f"{SMTP}HOST"],
        int(port),
        tls,
        environment.get(f"{SMTP}USER", ""),
        environment.get(f"{SMTP}PASSWORD", ""),
    )
    return [
        Channel(f"email:{to}", lambda alerts, to=to: send_email(server, sender, to, alerts))
        for to in receivers
    ]


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. `tls`: auto (STARTTLS where offered), starttls, tls or none."""

    host: str
    port: int
    tls: str = "auto"
    user: str = ""
    password: str = field(default="", repr=False)


def compose_email(sender: str, receiver: str, alerts: Sequence[Alert]) -> EmailMessage:
    """Write the message. Its id follows from its content, so that mail readers drop a repeat."""
    n_high = sum(alert.severity == "HIGH" for alert in alerts)
    digest = hashlib.sha256("".join([receiver, *(a.key + a.as_of for a in alerts)]).encode())
    message = EmailMessage()
    message["Subject"] = f"Wardhouse: {len(alerts)} alerts, {n_high} HIGH"
    message["From"] = sender
    message["To"] = receiver
    message["Message-ID"] = f"<{digest.hexdigest()[:32]}@wardhouse>"
    message.set_content("\n".join(f"{alert.line}\nas of {alert.as_of} UTC\n" for alert in alerts))
    return message


def send_email(server: MailServer, sender: str, receiver: str, alerts: Sequence[Alert]) -> None:
    """Hand a message to the mail server; a password never travels in the clear by itself."""
    message = compose_email(sender, receiver, alerts)
    context = ssl.create_default_context()
    if server.tls == "tls":
        connection = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.ehlo()
        offered = server.tls == "auto" and connection.has_extn("starttls")
        if server.tls == "starttls" or offered:
            connection.starttls(context=context)
        elif server.user and server.tls == "auto":
            raise RefusedError(
                f"{server.host} offers no TLS for the login; {SMTP}TLS=none allows that"
            )
        if server.user:
            connection.login(server.user, server.password)
        connection.send_message(message)
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError) as error:
        raise RefusedError(str(error)) from error
    finally:
        with suppress(OSError, smtplib.SMTPException):  # the message is handed in, or it is not
            connection.quit()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST loses its body, so a redirect is a failure."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post_webhook(url: str, alerts: Sequence[Alert]) -> None:
    """Post the alerts as a Slack message, `{"text": ...}`."""
    text = "\n".join([f"*Wardhouse: {len(alerts)} alerts*", *(alert.line for alert in alerts)])
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        url,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
        method="POST",
    )
    try:
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            response.read(1)
    except urllib.error.HTTPError as error:
        with error:
            if 300 <= error.code < 500 and error.code not in (408, 425, 429):
                raise RefusedError(f"the webhook answers {error.code}") from error
            raise ConnectionError(f"the webhook answers {error.code}") from error


def write_file(path: Path, alerts: Sequence[Alert]) -> None:
    """Write all alerts that stand as a JSON array; readers see the old file or the new one."""
    _write_whole(path, json.dumps([asdict(alert) for alert in alerts], indent=1) + "\n")


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_outbox(path: Path) -> Iterator[Outbox]:
    """Open the outbox for this process alone; a damaged one is kept under another name."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
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
) -> list[Delivery]:
    """Tell every receiver what it does not know yet.

    What is to be told is written to the outbox before anything is sent, and taken out as soon as it
    arrived, so that nothing is lost if the process dies.

    Parameters
    ----------
    alerts
        The alerts that stand now.
    channels
        The receivers.
    outbox
        Opened by `open_outbox`.
    attempts
        Tries for each receiver, at least one.
    pause_seconds
        Wait after the first failed try; it doubles with every further one.

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
    for channel in channels:
        pending = outbox.pending[channel.name]
        if not pending and not channel.takes_all:
            continue
        sent = pending
        if channel.takes_all:
            sent = list({**{alert.key: alert for alert in pending}, **standing}.values())
        delivery = _attempt(channel, sent, attempts, pause_seconds)
        deliveries.append(delivery)
        if not delivery.error:
            outbox.pending[channel.name] = []
            arrived = {alert.key for alert in sent} & set(standing)
            outbox.told[channel.name] = sorted(arrived | set(outbox.told[channel.name]))
            outbox.save()
    return deliveries


def _attempt(
    channel: Channel, alerts: Sequence[Alert], attempts: int, pause_seconds: float
) -> Delivery:
    delivery = Delivery(channel.name, len(alerts), 0)
    while True:
        delivery.n_attempts += 1
        try:
            channel.send(alerts)
        except RefusedError as error:
            delivery.error = str(error)
            return delivery
        except (OSError, smtplib.SMTPException, ValueError) as error:
            delivery.error = f"{type(error).__name__}: {error}"
        else:
            delivery.error = ""
            return delivery
        if delivery.n_attempts >= attempts:
            return delivery
        time.sleep(pause_seconds * 2 ** (delivery.n_attempts - 1))
