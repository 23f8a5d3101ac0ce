"""What all charts of personas share: the rows of one person type, names, colours, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from wardhouse.report.chart import COLORS, Chart, chart, empty, words
from wardhouse.report.tables import Few

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from wardhouse.report.tables import Read

MOST_POINTS = 400  # people of a persona that are drawn
MONEY = "in the currency of the feed"
HIDDEN = "too few people to be shown"


@dataclass(frozen=True)
class Shown:
    """The people of one type, as charts read them.

    Attributes
    ----------
    person_type : str
        patient or physician.
    read : Read
        What reads the warehouse.
    identifiers : bool
        Whether the pointer may show who a point is.
    """

    person_type: str
    read: Read
    identifiers: bool = False

    def rows(self, table: str) -> pd.DataFrame:
        """Return the rows of a table that are of the person type."""
        found = self.read(table)
        return found[found["person_type"] == self.person_type].reset_index(drop=True)

    @cached_property
    def personas(self) -> pd.DataFrame:
        """Rows of `engagement.persona_profiles`, by number."""
        return self.rows("engagement.persona_profiles").sort_values("persona_number")

    @cached_property
    def validation(self) -> pd.Series | None:
        """The row of `ml.persona_validation`; none where nobody is of the type."""
        found = self.rows("ml.persona_validation")
        return None if found.empty else found.iloc[0]

    @cached_property
    def warning(self) -> str:
        """What every page says where the grouping is not to be trusted; else nothing."""
        if self.validation is None or self.validation["is_reliable"]:
            return ""
        return f"Not reliable: {self.validation['verdict']}."

    @cached_property
    def features(self) -> list[str]:
        """The features of the fit; those that set the personas apart most come first."""
        found = self.rows("engagement.persona_feature_profiles")
        far = (found["standardised_difference"] ** 2).groupby(found["feature"]).sum()
        return sorted(far.index, key=lambda feature: (-far[feature], feature))

    @cached_property
    def hidden(self) -> set[int]:
        """Numbers of the personas whose size is suppressed: their people are not drawn either."""
        return set(self.personas.loc[self.personas["n_people"].isna(), "persona_number"])

    @cached_property
    def people(self) -> pd.DataFrame:
        """People as they are now: at most `MOST_POINTS` of each persona.

        The columns are person_key, persona_number, is_in_fit and `values`: the filled and treated
        values by feature, in the features' own units. The rows are in the order of these values,
        which tells nobody who is who.
        """
        import pandas as pd

        few = Few(MOST_POINTS, ("person_type", "persona_number"), "person_key")
        members = self.read("ml.persona_members", few=few)
        keys = members[["person_key"]].assign(is_current=True)
        vectors = self.read("ml.persona_vectors", within=keys)
        members = members[members["person_type"] == self.person_type]
        found = members[["person_key", "persona_number", "is_in_fit"]].merge(
            vectors[["person_key", "features", "feature_values"]], on="person_key"
        )
        if found.empty:
            return found
        names = list(found["features"].iloc[0])
        values = pd.DataFrame(found.pop("feature_values").tolist(), columns=names)
        found = found.drop(columns="features").join(values)
        return found.sort_values(["persona_number", *names, "person_key"]).reset_index(drop=True)

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """Those of `people` that may be drawn, with person_id where it is asked for."""
        found = self.people
        if found.empty:
            return found
        found = found[~found["persona_number"].isin(self.hidden)]
        if self.identifiers:
            names = self.read("engagement.labelled_members", within=found[["person_key"]])
            found = found.merge(names[["person_key", "person_id"]], on="person_key", how="left")
        return found.reset_index(drop=True)

    @property
    def drawn_note(self) -> str:
        """How many people are drawn, and who is not."""
        note = f"n = {len(self.drawn):,} {self.person_type}s, at most {MOST_POINTS} of each persona"
        return f"{note}; a persona with {HIDDEN} is left out" if self.hidden else note

    def title(self, title: str) -> str:
        """Return a title that says whom it is of."""
        return f"{self.person_type.capitalize()}s: {title}"

    def color(self, number: int) -> str:
        """Return the colour that a persona has in every chart."""
        return COLORS[(int(number) - 1) % len(COLORS)]

    def label(self, number: int) -> str:
        """Return number and name of a persona, as words to show."""
        names = self.personas.set_index("persona_number")["persona_name"]
        return words([f"{int(number)} {names[number]}"])[0]

    def chart(self, name: str, title: str, note: str, figure: go.Figure, height: int = 0) -> Chart:
        """Finish a chart: its name and title say whom it is of, its note whether to trust it."""
        return chart(
            f"{name}_{self.person_type}",
            self.title(title),
            f"{note} {self.warning}".strip(),
            figure,
            height,
        )

    def empty(self, name: str, title: str, reason: str = "") -> Chart:
        """Return a chart without data; without a reason of its own the verdict is the reason."""
        if not reason:
            told = "" if self.validation is None else self.validation["verdict"]
            reason = f"No data: {told or 'no persona was found'}."
        return empty(f"{name}_{self.person_type}", self.title(title), reason)


def percent(share: float) -> str:
    """Return a share as words, which no line breaks."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def spoken(feature: str) -> str:
    """Return a feature's name as words to show."""
    return words([feature.replace("_", " ")])[0]
