"""From one analysis to the next: parts that changed settings make anew go on with the states of the old ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from sensor.analysis import ALERT, DETECTOR, Analysis
from sensor.app.build import Observe, Plan, pipeline_of, policy_of, runner_of
from sensor.app.keeping import Keeper, open_keeper
from sensor.app.reload import Change
from sensor.privacy import Veil
from sensor.pseudonym import KeyRing
from sensor.settings import PrivacySettings
from sensor.taps.folder import Reading
from sensor.view import View


class Handover:
    """
    Makes the analysis of a plan: its first one, and each that follows it.

    States go over by *keeper* or, where there is none, by a file of the moment, which *opened* closes and which is
    sealed with *keys* where *privacy* asks for it.
    """

    def __init__(
        self,
        keeper: Keeper | None,
        *,
        privacy: PrivacySettings,
        keys: KeyRing | None,
        veil: Veil,
        observe: Observe,
        opened: ExitStack,
    ) -> None:
        self._keeper, self._privacy, self._keys = keeper, privacy, keys
        self._veil, self._observe, self._opened = veil, observe, opened

    def first(self, plan: Plan) -> Analysis:
        """The analysis that a sensor begins with, without any state."""
        return Analysis(pipeline_of(plan), runner_of(plan, self._observe), policy_of(plan, self._veil))

    def after(self, old: Analysis, plan: Plan, change: Change, view: View, readings: Mapping[str, Reading]) -> Analysis:
        """
        *old* with the parts of *change* made anew by *plan*, holding the states of the old ones; itself where none is.

        What is not saved yet is saved with that, the alerts of *view* and *readings* too. Raises ``DatabaseError``.
        """
        if not (change.pipeline or change.runner or change.policy):
            return old
        analysis = Analysis(
            pipeline_of(plan) if change.pipeline else old.pipeline,
            runner_of(plan, self._observe) if change.runner else old.runner,
            policy_of(plan, self._veil) if change.policy else old.policy,
        )
        states = self._states()
        states.keep(old, view.unsaved_alerts(), sensor=plan.settings.sensor.name, readings=readings)
        states.restore(analysis, lambda kind: _is_part_of(kind, change))
        return analysis

    def _states(self) -> Keeper:
        if self._keeper is None:
            folder = self._opened.enter_context(TemporaryDirectory(prefix="mailsensor-"))
            path = os.path.join(folder, "states.db")
            self._keeper = self._opened.enter_context(open_keeper(path, self._privacy, self._keys))
        return self._keeper


def _is_part_of(kind: str, change: Change) -> bool:
    """True if states of that kind belong to a part that is made anew."""
    if kind == ALERT:
        return change.policy
    return change.runner if kind.startswith(DETECTOR) else change.pipeline
