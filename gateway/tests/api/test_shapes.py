"""Answers that are made from rows."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from signalpost.api.routing.shapes.shape import Shape, shows


class Wheel(Struct):
    size: int
    fitted_at: int | None


class Bicycle(Struct):
    name: str
    wheel: Wheel
    made_at: int
    gears: int = 3
    spare: Wheel | None = None


class WheelShown(Shape, frozen=True):
    size: int
    fitted_at: str | None


class BicycleShown(Shape, frozen=True):
    title: Annotated[str, Meta(description="Its name.", extra=shows("name"))]
    wheel: WheelShown
    spare: WheelShown | None
    made_at: str
    gears: int
    colour: str = "black"
    owner: str | None = None


BICYCLE = Bicycle("Ada's", Wheel(28, None), made_at=1_630_557_476_812_919)


def test_an_answer_has_what_its_row_has_with_times_as_text_and_rows_within_it_as_answers() -> None:
    """C4"""
    assert BicycleShown.of(BICYCLE) == BicycleShown(
        title="Ada's",
        wheel=WheelShown(size=28, fitted_at=None),
        spare=None,
        made_at="2021-09-02T04:37:56.812919+00:00",
        gears=3,
    )


def test_what_is_given_comes_before_what_rows_have_and_the_first_row_before_the_others() -> None:
    class Sale(Struct):
        owner: str
        gears: int

    shown = BicycleShown.of(Sale("Bob", 7), BICYCLE, colour="red", made_at=0)
    assert (shown.owner, shown.gears, shown.colour) == ("Bob", 7, "red")
    assert shown.made_at == "1970-01-01T00:00:00.000000+00:00"


def test_an_answer_of_another_answer_shows_the_same() -> None:
    shown = BicycleShown.of(BICYCLE, spare=WheelShown(size=26, fitted_at=None))
    assert BicycleShown.of(shown, title=shown.title) == shown


def test_a_member_that_nothing_has_is_named() -> None:
    with pytest.raises(AttributeError, match="BicycleShown needs wheel, which no row has"):
        BicycleShown.of(object(), title="x")
