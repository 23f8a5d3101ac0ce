"""Settings of a Kafka client from the environment, so that secrets are never in a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "WARDHOUSE_KAFKA_"


def kafka_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Translate environment variables into librdkafka's options.

    `WARDHOUSE_KAFKA_SASL_USERNAME` becomes `sasl.username`: every option that can be given as text
    has dots where a variable's name has underscores. Any of librdkafka's options may be set so;
    which there are, and what they mean, is for librdkafka to say.

    Parameters
    ----------
    environment : mapping of str to str
        As of a process. A variable that is empty, as a line left blank in an environment file, is
        one that is not set. White space around a value is not part of it, except in a password.

    Returns
    -------
    dict of str to str
        What a confluent-kafka producer or consumer takes. What a caller's guarantees need, such as
        acknowledgement by all replicas, it puts over these.

    Examples
    --------
    >>> kafka_settings({"WARDHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PATH": "/bin"})
    {'security.protocol': 'SASL_SSL'}

    Azure Event Hubs: the user's name is `$ConnectionString`, the password the connection string.

    >>> hub = {
    ...     "WARDHOUSE_KAFKA_BOOTSTRAP_SERVERS": "namespace.servicebus.windows.net:9093",
    ...     "WARDHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    ...     "WARDHOUSE_KAFKA_SASL_MECHANISM": "PLAIN",
    ...     "WARDHOUSE_KAFKA_SASL_USERNAME": "$ConnectionString",
    ... }
    >>> kafka_settings(hub)["sasl.username"]
    '$ConnectionString'
    """
    settings = {}
    for name, value in sorted(environment.items()):
        option = name.removeprefix(PREFIX).replace("_", ".").lower()
        if not name.startswith(PREFIX) or not option or not value.strip():
            continue
        settings[option] = value if "password" in option else value.strip()
    return settings
