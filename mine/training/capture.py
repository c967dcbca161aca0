"""A step of training as a CUDA graph: recorded once, then replayed without Python.

A graph reads its inputs and writes its outputs where they stood when it was recorded. So each
batch is copied to the same place before a step, and the step may not wait for the host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)

WARM_STEPS = 3  # eager steps before a capture, as torch's notes on CUDA graphs ask for

Step = Callable[[Sequence[Tensor]], tuple[Tensor, Tensor]]
"""A batch -> critic values on joint and on marginal pairs."""


class CapturedStep:
    """A step that runs eagerly a few times, and then as one captured graph.

    A user's module may do what cannot be captured. Its steps go on running eagerly.

    The step is an argument of each call, and always the same one. It belongs to the loop, which
    holds this object. If this object held the step, the two would hold each other, and the
    device's memory would be free only after the next garbage collection.
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None
        self._batch: list[Tensor] = []
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._values: tuple[Tensor, Tensor] | None = None
        self._can_capture = True

    @property
    def captured(self) -> bool:
        """Whether the steps are replays of a graph."""
        return self._graph is not None

    def __call__(self, step: Step, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if not self._can_capture:
            return step(batch)
        self._batch = self._batch or [torch.empty_like(drawn) for drawn in batch]
        for place, drawn in zip(self._batch, batch, strict=True):
            place.copy_(drawn)
        if self._graph is None and self._warm == WARM_STEPS:
            self._capture(step)
        if self._graph is None or self._values is None:
            self._warm += 1
            return self._on_another_stream(step)
        self._graph.replay()
        return self._values

    def _on_another_stream(self, step: Step) -> tuple[Tensor, Tensor]:
        """An eager step, on the stream that the capture uses."""
        stream = self._stream = self._stream or torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            values = step(self._batch)
        torch.cuda.current_stream().wait_stream(stream)
        return values

    def _capture(self, step: Step) -> None:
        graph, outside = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                self._values = step(self._batch)
        except RuntimeError as error:
            torch.cuda.set_stream(outside)  # a capture that fails does not leave its own
            log.warning("the step cannot be captured as a CUDA graph, going on without: %s", error)
            self._can_capture = False
        else:
            self._graph = graph
