"""The receivers of alerts: their settings, checked before anything is sent, and ways to each.

A receiver's failure is described by codes and by texts of our own: what a server answers may echo
the webhook's token or the login.
"""

import http.client
import json
import re
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wardhouse.private_files import FileModeError, file_mode, write_private
from wardhouse.quality.alerts import Alert, AlertError, Channel, RefusedError

TLS_MODES = ("auto", "starttls", "tls", "none")
TIMEOUT_SECONDS = 10
SMTP = "WARDHOUSE_ALERT_SMTP_"
WEBHOOK = "WARDHOUSE_ALERT_WEBHOOK_URL"
PLAINTEXT = "WARDHOUSE_ALERT_ALLOW_PLAINTEXT"


def channels_from(environment: Mapping[str, str]) -> list[Channel]:
    """Find the receivers that `WARDHOUSE_ALERT_*` variables name.

    Every e-mail address is a receiver of its own, so that one bad address costs the others nothing
    and nobody gets a message twice.

    Raises
    ------
    AlertError
        When the settings are incomplete, mean nothing, or would send plain text over a network
        without an explicit yes.
    """
    try:
        file_mode(environment)
    except FileModeError as error:
        raise AlertError(str(error)) from error
    channels = []
    if environment.get(f"{SMTP}HOST"):
        channels += _email_channels(environment)
    if url := environment.get(WEBHOOK):
        _check_webhook(url, _allows_plaintext(environment))
        channels.append(Channel("webhook", lambda alerts: post_webhook(url, alerts)))
    if path := environment.get("WARDHOUSE_ALERT_FILE"):
        channels.append(Channel("file", partial(write_file, Path(path)), True))
    return channels


def _allows_plaintext(environment: Mapping[str, str]) -> bool:
    answer = environment.get(PLAINTEXT, "")
    if answer not in ("", "0", "1"):
        raise AlertError(f"{PLAINTEXT} is 1 or not set, not {answer!r}")
    return answer == "1"


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


def _check_webhook(url: str, allows_plaintext: bool) -> None:
    """Look at the address without quoting it: its path or its host is the secret."""
    if not re.fullmatch("[!-~]+", url):
        raise AlertError(
            f"{WEBHOOK} holds a blank, a line end or a letter beyond ASCII: set the address alone"
        )
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise AlertError(f"{WEBHOOK} is no http or https address")
    if "@" in parts.netloc:
        raise AlertError(f"{WEBHOOK} holds a login, which is not sent: leave out what ends in @")
    if parts.scheme == "http" and not (allows_plaintext or _is_loopback(parts.hostname)):
        raise AlertError(
            f"{WEBHOOK} sends plain text over the network: use https, or allow it by {PLAINTEXT}=1"
        )


def _email_channels(environment: Mapping[str, str]) -> list[Channel]:
    names = ("HOST", "FROM", "TO", "USER", "PASSWORD")
    host, sender, to, user, password = (environment.get(f"{SMTP}{name}", "") for name in names)
    for name in names:
        if not environment.get(f"{SMTP}{name}", "").isprintable():
            raise AlertError(f"{SMTP}{name} holds a line end or another control character")
    if not (user + password).isascii():
        raise AlertError(f"{SMTP}USER and {SMTP}PASSWORD are ASCII: the login knows no other")
    receivers = [receiver.strip() for receiver in to.split(",") if receiver.strip()]
    tls = environment.get(f"{SMTP}TLS", "").lower() or "auto"
    if not receivers or not sender:
        raise AlertError(f"{SMTP}HOST is set: {SMTP}FROM and {SMTP}TO are needed too")
    if tls not in TLS_MODES:
        raise AlertError(f"{SMTP}TLS is one of {', '.join(TLS_MODES)}, not {tls!r}")
    port = environment.get(f"{SMTP}PORT") or ("465" if tls == "tls" else "587")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise AlertError(f"{SMTP}PORT is a number from 1 to 65535, not {port!r}")
    allows_plaintext = _allows_plaintext(environment) or _is_loopback(host)
    if tls == "none" and not allows_plaintext:
        raise AlertError(
            f"{SMTP}TLS=none sends plain text over the network: set starttls or tls, "
            f"or allow it by {PLAINTEXT}=1"
        )
    for name, address in (("FROM", sender), *(("TO", receiver) for receiver in receivers)):
        _check_address(f"{SMTP}{name}", address)
    server = MailServer(host, int(port), tls, user, password, allows_plaintext)
    return [
        Channel(f"email:{receiver}", partial(send_email, server, sender, receiver))
        for receiver in receivers
    ]


def _check_address(name: str, address: str) -> None:
    if not re.fullmatch(r"[!-?A-~]+(@[!-?A-~]+)?", parseaddr(address)[1]):
        raise AlertError(f"{name} holds {address!r}, which is no mail address")


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in. `tls`: auto (STARTTLS where offered), starttls, tls or none."""

    host: str
    port: int
    tls: str = "auto"
    user: str = ""
    password: str = field(default="", repr=False)
    allows_plaintext: bool = False


def compose_email(sender: str, receiver: str, alerts: Sequence[Alert]) -> EmailMessage:
    """Write the message. Its id follows from its content, so that mail readers drop a repeat."""
    n_high = sum(alert.severity == "HIGH" for alert in alerts)
    digest = sha256("".join([receiver, *(a.key + a.as_of for a in alerts)]).encode())
    message = EmailMessage()
    message["Subject"] = f"Wardhouse: {len(alerts)} alerts, {n_high} HIGH"
    message["From"] = sender
    message["To"] = receiver
    message["Message-ID"] = f"<{digest.hexdigest()[:32]}@wardhouse>"
    message.set_content("\n".join(f"{alert.line}\nas of {alert.as_of} UTC\n" for alert in alerts))
    return message


def send_email(server: MailServer, sender: str, receiver: str, alerts: Sequence[Alert]) -> None:
    """Hand a message to the mail server; a password never travels in the clear by itself."""
    try:
        _hand_in(server, compose_email(sender, receiver, alerts))
    except smtplib.SMTPRecipientsRefused as error:
        [answer] = error.recipients.values()
        raise ConnectionError(_mail_answer(*answer)) from None
    except smtplib.SMTPAuthenticationError as error:
        raise RefusedError(_mail_answer(error.smtp_code, error.smtp_error)) from None
    except smtplib.SMTPResponseException as error:
        raise ConnectionError(_mail_answer(error.smtp_code, error.smtp_error)) from None
    except smtplib.SMTPNotSupportedError as error:
        raise RefusedError(str(error)) from error


def _hand_in(server: MailServer, message: EmailMessage) -> None:
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
        elif server.tls == "auto" and not server.allows_plaintext:
            raise RefusedError(f"{server.host} offers no TLS; {PLAINTEXT}=1 allows that")
        if server.user:
            connection.login(server.user, server.password)
        connection.send_message(message)
    finally:
        with suppress(OSError, smtplib.SMTPException):  # the message is handed in, or it is not
            connection.quit()


def _mail_answer(code: int, text: bytes | str) -> str:
    """Describe a mail server's answer by its code and its enhanced code (RFC 3463)."""
    if code < 0:
        return "the mail server's answer is not SMTP"
    line = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", line, re.ASCII)
    return f"the mail server answers {code}" + (f" {enhanced[0]}" if enhanced else "")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST loses its body, so a redirect is a failure."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post_webhook(url: str, alerts: Sequence[Alert]) -> None:
    """Post the alerts as a Slack message, `{"text": ...}`; the status alone says if it arrived."""
    text = "\n".join([f"*Wardhouse: {len(alerts)} alerts*", *(alert.line for alert in alerts)])
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        url,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
        method="POST",
    )
    handlers: list[Any] = [_NoRedirect]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy would take it off this machine
    try:
        urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        if 300 <= error.code < 500 and error.code not in (408, 425, 429):
            raise RefusedError(f"the webhook answers {error.code}") from None
        raise ConnectionError(f"the webhook answers {error.code}") from None
    except urllib.error.URLError as error:
        raise ConnectionError(f"the webhook is out of reach: {_cause(error.reason)}") from None
    except http.client.RemoteDisconnected:
        raise ConnectionError("the webhook closes without an answer") from None
    except http.client.HTTPException:
        raise ConnectionError("the webhook's answer is not HTTP") from None


def _cause(reason: Exception | str) -> str:
    """Name why a connection failed, without the host that a text about certificates holds."""
    if isinstance(reason, ssl.SSLError):
        return reason.reason or "TLS failed"
    return getattr(reason, "strerror", None) or type(reason).__name__


def write_file(path: Path, alerts: Sequence[Alert]) -> None:
    """Write all alerts of now as a JSON array; readers see the old file or the new one."""
    write_private(path, json.dumps([asdict(alert) for alert in alerts], indent=1) + "\n")
