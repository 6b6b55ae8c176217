"""Views of symbolic arrays: what is read of the array that one is cut from, and what writing to it means there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2see.program.operations import Shape

if TYPE_CHECKING:
    from seq2see.program.symbolic import Symbol


class View:
    """How a symbol is cut from another."""

    def __init__(self, of: Symbol) -> None:
        self.of = of
        self.graph = of.graph

    def read(self) -> int:
        """The node with its present value."""
        raise NotImplementedError

    def write(self, node: int) -> None:
        """Give the other symbol the value that has this node here."""
        raise NotImplementedError


class Sliced(View):
    """A slice."""

    def __init__(self, of: Symbol, starts: Shape, stops: Shape) -> None:
        super().__init__(of)
        self.starts, self.stops = starts, stops

    def read(self) -> int:
        """See `View`."""
        return self.graph.add("slice", self.of.node, starts=self.starts, stops=self.stops)

    def write(self, node: int) -> None:
        """See `View`."""
        self.of.write(self.graph.put(self.of.node, self.starts, self.stops, node))


class Reshaped(View):
    """The same in another shape."""

    def __init__(self, of: Symbol, shape: Shape) -> None:
        super().__init__(of)
        self.shape = shape

    def read(self) -> int:
        """See `View`."""
        return self.graph.add("reshape", self.of.node, shape=self.shape)

    def write(self, node: int) -> None:
        """See `View`."""
        self.of.write(self.graph.add("reshape", node, shape=self.of.shape))


class Transposed(View):
    """The same with its axes in another order."""

    def __init__(self, of: Symbol, axes: tuple[int, ...]) -> None:
        super().__init__(of)
        self.axes = axes

    def read(self) -> int:
        """See `View`."""
        return self.graph.add("transpose", self.of.node, axes=self.axes)

    def write(self, node: int) -> None:
        """See `View`."""
        back = tuple(self.axes.index(axis) for axis in range(len(self.axes)))
        self.of.write(self.graph.add("transpose", node, axes=back))
