"""A real Apache Kafka broker on loopback: one KRaft node, its jars from Maven Central.

For tests and benchmarks: whoever reaches the port may read and write.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from wardhouse.bench.ports import free_ports
from wardhouse.settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "3.9.1"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wardhouse</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
# Time-outs as short as the broker allows: a dead consumer is gone within a second.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
message.max.bytes=20971520
"""
CLUSTER_ID = "d2FyZGhvdXNlLXRlc3RzIQ"  # any 16 bytes in base64
START_SECONDS = 60


class UnavailableError(Exception):
    """There can be no broker here; the message says what is missing."""


class KafkaBroker:
    """A broker to start, stop, kill and start again on the same port and data.

    Parameters
    ----------
    jars
        Of `kafka_jars`.
    folder
        For its settings, its log and its data; absolute.

    Attributes
    ----------
    bootstrap : str
        Where clients connect, `127.0.0.1:<port>`.
    """

    def __init__(self, jars: Path, folder: Path):
        self.folder = folder
        self._jars = jars
        self._process: subprocess.Popen | None = None
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._settings = folder / "server.properties"
        text = PROPERTIES.format(port=port, controller=controller, folder=folder)
        self._settings.write_text(text)
        tool = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._settings))
        subprocess.run(self._java(*tool), check=True, capture_output=True, timeout=START_SECONDS)

    def _java(self, *arguments: str) -> list[str]:
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        return ["java", *options, "-cp", f"{self._jars}/*", *arguments]

    def start(self) -> None:
        """Start the broker, and return when it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._settings)), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(KafkaException):
                if self.admin().list_topics(timeout=1).brokers:
                    return
        raise RuntimeError((self.folder / "broker.log").read_text()[-2000:])

    def stop(self) -> None:
        """Shut the broker down as an administrator would."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._end(kill=True)

    def _end(self, kill: bool) -> None:
        if self._process is None:
            return
        self._process.kill() if kill else self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Shut the broker down and start it again."""
        self.stop()
        self.start()

    def admin(self) -> AdminClient:
        """Return a client that makes and deletes topics."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, name: str, n_partitions: int = 1, **settings: str) -> str:
        """Make a topic; settings are the broker's, with underscores for dots. Return its name."""
        options = {key.replace("_", "."): value for key, value in settings.items()}
        topic = NewTopic(name, num_partitions=n_partitions, replication_factor=1, config=options)
        admin = self.admin()  # dies with its last name, and its requests with it
        admin.create_topics([topic])[name].result(20)
        return name


def kafka_jars() -> Path:
    """Return the folder of the broker's jars, fetched once and kept in the user's cache.

    Raises
    ------
    UnavailableError
        When Java or Maven is not here, or Maven cannot fetch them.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise UnavailableError(f"a real Kafka broker needs {tool}, which is not here")
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    jars = cache / f"kafka-{VERSION}"
    with (cache / "kafka.lock").open("w") as lock:  # two processes fetch only once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch(jars)
    return jars


def _fetch(jars: Path) -> None:
    with tempfile.TemporaryDirectory(dir=jars.parent) as place:
        pom = Path(place) / "pom.xml"
        pom.write_text(POM)
        fetched = Path(place) / "jars"
        command = ["mvn", "-B", "-q", "-f", str(pom), PLUGIN, "-DincludeScope=runtime"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={fetched}"], capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise UnavailableError(f"Maven could not fetch Kafka {VERSION}: {done.stdout[-300:]}")
        fetched.rename(jars)


@contextmanager
def running_broker(folder: Path) -> Iterator[KafkaBroker]:
    """Run a broker with its data in a folder of its own.

    Raises
    ------
    UnavailableError
        Where there can be none.
    """
    broker = KafkaBroker(kafka_jars(), folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
