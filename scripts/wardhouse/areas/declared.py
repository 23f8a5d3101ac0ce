"""Every area that the package has a sample, a simulation or a report of: one declaration each.

A declaration names code by "module:name", so that listing the areas imports none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Option:
    """An option that one area's command has beside those that all have.

    Attributes
    ----------
    name : str
        As it is typed, without the dashes.
    argument : str
        The argument of the area's code that takes it.
    default : int, float or bool
    help : str
    minimum, maximum : float, optional
        Limits of a number.
    """

    name: str
    argument: str
    default: float
    help: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Sample:
    """A sample that `wardhouse sample` writes.

    Attributes
    ----------
    write : str
        A function of `out_dir`, the size, `seed`, `factor` (times the usual dirt), `shares` (texts
        such as `kind=0.01`) and `progress`, and of the further options.
    size : Option
        How much of it.
    options : tuple of Option
        Further ones.
    """

    write: str
    size: Option
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Topic:
    """A feed of a simulation, and the option that names its Kafka topic."""

    feed: str
    option: str
    default: str
    help: str


@dataclass(frozen=True)
class Simulation:
    """A stream that `wardhouse simulate` plays.

    Attributes
    ----------
    stream : str
        A class of `rate`, `start`, `stop`, `seed` and `dirt`, and of the further options, that is
        a `wardhouse.synthetic.player.Stream`.
    dirt : str
        The class of its dirt.
    help : str
    topics : tuple of Topic
        Its feeds; standard output has the first.
    options : tuple of Option
        Further ones.
    """

    stream: str
    dirt: str
    help: str
    topics: tuple[Topic, ...]
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Report:
    """Charts that `wardhouse report` writes.

    Attributes
    ----------
    name : str
        As it is asked for.
    charts : str
        A function of one that reads tables (`wardhouse.report.tables.Read`), and of the further
        options, to a list of `wardhouse.report.chart.Chart`.
    title : str
        Of the page that holds them all.
    options : tuple of Option
        Further ones.
    """

    name: str
    charts: str
    title: str
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Area:
    """What an area brings to the commands.

    Attributes
    ----------
    name : str
    sample, simulation, report : optional
    routes : str, optional
        A tuple of `wardhouse.routes.Route`, of the API.
    """

    name: str
    sample: Sample | None = None
    simulation: Simulation | None = None
    report: Report | None = None
    routes: str | None = None


def load(place: str) -> Any:
    """Import what a declaration names by "module:name"."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"wardhouse.areas.{module}"), name)


IDENTIFIERS = Option(
    "identifiers", "identifiers", False, "Let the pointer show who a point is (personas)."
)
OLDER = Option(
    "older", "older_share", 0.1, "Share told by older producers, which send no event_id.", 0, 1
)

AREAS = (
    Area(
        "hospital",
        Sample(
            "hospital.sample:write_sample",
            Option("treatments", "treatments", 1000, "How many treatments (hospital).", 1),
            (Option("files", "files", 1, "Files of the treatments feed (hospital).", 1),),
        ),
        routes="hospital.routes:ROUTES",
    ),
    Area(
        "telehealth",
        Sample(
            "telehealth.sample:write_sample",
            Option("appointments", "appointments", 600, "How many appointments (telehealth).", 1),
        ),
        Simulation(
            "telehealth.events:Telehealth",
            "telehealth.dirt:AppointmentEventDirt",
            """Simulate video appointments: booked, moved, called off or held, event by event.

            Each appointment is also logged once when it is over: in files as feed appointment_logs,
            in Kafka as a topic of its own. Standard output has the events only. The rate is a
            week's mean: sessions are held from 8:00 to 20:00, fewer at weekends.
            """,
            (
                Topic("appointment_events", "topic", "appointment_events", "the events"),
                Topic(
                    "appointment_logs",
                    "appointments-topic",
                    "appointments",
                    "the appointments as they are logged",
                ),
            ),
            (OLDER,),
        ),
        routes="telehealth.routes:ROUTES",
    ),
    Area(
        "patient_flow",
        Sample(
            "patient_flow.sample:write_sample",
            Option("events", "events", 2200, "About how many events (patient flow).", 1),
        ),
        Simulation(
            "patient_flow.events:PatientFlow",
            "patient_flow.dirt:PatientFlowDirt",
            """Simulate patients who arrive, wait, stay and leave hospitals.

            Departments have rhythms of their own, waits grow with the beds in use, evening patients
            of the emergency department stay too long, and oncology keeps people waiting.
            """,
            (Topic("patient_events", "topic", "patient_events", "the events"),),
            (
                OLDER,
                Option(
                    "overlap",
                    "overlap_share",
                    0.01,
                    "Share of stays on a bed that is still taken.",
                    0,
                    1,
                ),
                Option("hospitals", "hospitals", 5, "How many hospitals.", 1),
                Option(
                    "uniform",
                    "uniform",
                    False,
                    "No rhythm, no bottleneck, all departments alike.",
                ),
            ),
        ),
        routes="patient_flow.routes:ROUTES",
    ),
    Area(
        "growth",
        Sample(
            "growth.sample:write_sample",
            Option("encounters", "encounters", 900, "How many encounters (growth).", 1),
        ),
        report=Report(
            "growth", "growth.charts:charts", "Growth: service lines, referrers and supplies"
        ),
        routes="growth.routes:ROUTES",
    ),
    Area(
        "engagement",
        Sample(
            "engagement.sample:write_sample",
            Option("people", "people", 850, "How many patients and physicians (engagement).", 1),
            (
                Option(
                    "groups", "groups", 5, "Planted groups of either: 5, or 0 (engagement).", 0, 5
                ),
            ),
        ),
        report=Report(
            "personas",
            "engagement.charts:charts",
            "Personas: who they are, how far to trust them, and what to do",
            (IDENTIFIERS,),
        ),
        routes="engagement.routes:ROUTES",
    ),
)
