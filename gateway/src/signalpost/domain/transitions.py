"""What a table of states is."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

State = TypeVar("State", bound=Enum)
Input = TypeVar("Input", bound=Enum)
Transitions = Mapping[State, Mapping[Input, State]]
"""The next state for each state and input. What is missing cannot happen: it raises KeyError."""
