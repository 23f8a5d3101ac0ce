"""Settings of a Kafka client come from the environment, and librdkafka takes them."""

import doctest

import pytest
from confluent_kafka import KafkaException, Producer
from wardhouse.streaming import kafka_settings as module
from wardhouse.streaming.kafka_settings import kafka_settings

EVENT_HUBS = {
    "WARDHOUSE_KAFKA_BOOTSTRAP_SERVERS": "namespace.example:9093",
    "WARDHOUSE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "WARDHOUSE_KAFKA_SASL_MECHANISM": "PLAIN",
    "WARDHOUSE_KAFKA_SASL_USERNAME": "$ConnectionString",
    "WARDHOUSE_KAFKA_SASL_PASSWORD": "Endpoint=sb://namespace.example/;SharedAccessKey=a_b=",
}


def test_examples_hold():
    assert doctest.testmod(module).failed == 0


def test_event_hubs():
    assert kafka_settings(EVENT_HUBS) == {
        "bootstrap.servers": "namespace.example:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "$ConnectionString",
        "sasl.password": "Endpoint=sb://namespace.example/;SharedAccessKey=a_b=",
    }


@pytest.mark.parametrize(
    ("name", "value", "settings"),
    [
        ("PATH", "/bin", {}),
        ("KAFKA_SASL_USERNAME", "ward", {}),
        ("WARDHOUSE_KAFKA_", "ward", {}),
        ("WARDHOUSE_KAFKA_SASL_USERNAME", "", {}),
        ("WARDHOUSE_KAFKA_SASL_USERNAME", " \n", {}),
        ("WARDHOUSE_KAFKA_SASL_USERNAME", " ward\r\n", {"sasl.username": "ward"}),
        ("WARDHOUSE_KAFKA_SASL_PASSWORD", " ward ", {"sasl.password": " ward "}),
        ("WARDHOUSE_KAFKA_SSL_CA_LOCATION", "a_b.pem", {"ssl.ca.location": "a_b.pem"}),
        ("WARDHOUSE_KAFKA_QUEUE_BUFFERING_MAX_MS", "5", {"queue.buffering.max.ms": "5"}),
    ],
)
def test_each_variable(name, value, settings):
    assert kafka_settings({name: value}) == settings


def test_librdkafka_takes_them():
    Producer({**kafka_settings(EVENT_HUBS), "log_level": 0})


def test_librdkafka_refuses_what_it_does_not_know():
    with pytest.raises(KafkaException, match=r"no\.such\.option"):
        Producer(kafka_settings({"WARDHOUSE_KAFKA_NO_SUCH_OPTION": "1"}))
