"""The end of a record, once a command has ended: what came out of it, and what there is to say.

Knows whom to ask and how the answers become a record and its parts; nothing of the order in which
those are kept. A fact that cannot be had is a warning: that the command has ended, and how, is
always recorded.
"""

from __future__ import annotations

import os
import time

from gitlineage import encoding, fingerprints, points
from gitlineage.capture import Found, masking_of
from gitlineage.entries import Finished
from gitlineage.masking import sentence
from gitlineage.messages import message_of
from gitlineage.points import Collected
from gitlineage.records.end import End
from gitlineage.running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from gitlineage.entries import Entry
    from gitlineage.masking import Masking
    from gitlineage.printed import Printed
    from gitlineage.records.artifact import Artifact, FileMetadata
    from gitlineage.records.end import Cost, Log
    from gitlineage.records.launch import Launch, Place
    from gitlineage.relay.outcome import Outcome
    from gitlineage.repository import Repository
    from gitlineage.underway import Recording

    T = TypeVar("T")

STOPPING = (1, 2, 3, 9, 15)
"""Signals that a person or a scheduler sends: HUP, INT, QUIT, KILL, TERM."""


class Ending:
    """Works out the end of one execution."""

    def __init__(self, repository: Repository, recording: Recording) -> None:
        self._repository = repository
        self._recording = recording
        self._launch = recording.launch
        self._entry = recording.entry
        self._lacking: list[str] = []

    def finished(self, printed: Printed) -> tuple[End, Finished, Mapping[str, str]]:
        """Return the end, the whole record, and the git ids of what lies beside the entry."""
        try:
            return self._whole(printed)
        except Exception as error:  # noqa: BLE001 - it has ended: that must not be lost
            # Not in its words: it may be the masking that failed.
            lacking = f"nothing but how it ended is known: {type(error).__name__}"
            end = self._bare().replace(warnings=(lacking,))
            parts = {"launch": self._entry.launch, "record": encoding.encode(end)}
            nothing = Collected()
            zone = time.strftime("%z")
            return end, finished_of(self._launch, end, parts, nothing, (), zone), {}

    def _whole(self, printed: Printed) -> tuple[End, Finished, Mapping[str, str]]:
        recording = self._recording
        self._tried("its metrics files are", self._read_metrics)
        collected = self._tried("its metadata is", recording.points.finish)
        collected = collected or Collected()
        found = self._collect()
        content, log = printed.log()
        end = self._end(found, collected, log)
        end = with_masked(end, self._launch, recording.masking, self._entry)
        if (compare := recording.compare) is not None:
            end = end.replace(comparison=self._tried("how it came out is", lambda: compare(end)))
        parts = parts_of(self._entry, end, content, collected) | {
            f"manifests/{name}": manifest for name, manifest in found.manifests.items()
        }
        about = recording.gathered
        if about and about.packages:
            parts["environment"] = about.packages
        if recording.samples:
            parts["usage"] = recording.samples
        zone = time.strftime("%z")
        finished = finished_of(self._launch, end, parts, collected, found.claims(), zone)
        return end, finished, collected.blobs()

    def _tried(self, what: str, work: Callable[[], T]) -> T | None:
        """Return a fact; where it cannot be worked out None, and a warning says so."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the rest of the record is worth keeping
            self._lacking.append(f"{what} not known: {str(error) or type(error).__name__}")
            return None

    def _bare(self) -> End:
        """Return what is known of each command that has ended."""
        outcome = self._recording.outcome
        return End(
            execution=self._entry.id,
            status=status_of(outcome, is_limited=self._recording.is_limited),
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            finished_at=outcome.finished_at,
            duration=outcome.duration,
            cpu_time=outcome.cpu_time,
            peak_memory=outcome.peak_memory,
        )

    def _end(self, found: Found, collected: Collected, log: Log) -> End:
        """Return what is known, with whatever secrets are in it."""
        said = self._tried("metadata of files is", lambda: self._file_metadata(found.outputs))
        about = self._tried("its environment is", self._recording.look_again)
        place = (about and about.place) or self._launch.place
        cost = self._tried("its cost is", lambda: self._cost(place))
        return self._bare().replace(
            usage=self._recording.usage,
            inputs=found.inputs,
            learned=found.learned,
            outputs=found.outputs,
            code_read=found.code,
            metadata=collected.last,
            points_count=collected.count,
            file_metadata=said or (),
            environment=about.environment if about else None,
            place=about.place if about else None,
            cost=cost,
            log=log,
            warnings=(
                *found.warnings,
                *collected.warnings,
                *(self._tried("whether code holds secrets is", self._suspects) or ()),
                *self._lacking,
            ),
        )

    def _suspects(self) -> Sequence[str]:
        """Return warnings of code that seems to hold secrets; mostly they are there by now."""
        if self._recording.suspects is None:
            from gitlineage.capture.suspects import suspects

            masking = masking_of(self._repository)
            self._recording.suspects = suspects(self._repository, self._launch.code, masking)
        return self._recording.suspects

    def _read_metrics(self) -> None:
        """Take the declared metrics files as points."""
        for given in self._recording.capture.metrics:
            from gitlineage import metrics

            try:
                path = os.path.join(self._entry.top, self._launch.directory, given)
                for at, values in metrics.read(path, self._launch.started_at):
                    points.append(self._entry.points_path, values, at)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                self._lacking.append(f"metrics {given} cannot be read: {str(reason).lower()}")

    def _collect(self) -> Found:
        capture, entry = self._recording.capture, self._entry
        try:
            found = capture.collect(
                entry.started,
                lambda: Running(self._repository.lineage_dir).others(
                    entry.id, entry.top, entry.started
                ),
                self._recording.ancestors,
                entry.id,
                self._recording.observed,
            )
            return capture.stated(found)
        except Exception as error:  # noqa: BLE001 - the rest of the record is worth keeping
            reason = f"its inputs and outputs are not known: {error}"
            return Found(inputs=(), outputs=(), warnings=(*capture.warnings, reason), manifests={})

    def _file_metadata(self, outputs: Sequence[Artifact]) -> tuple[FileMetadata, ...]:
        """Return what files beside the outputs say of them."""
        if not any(each.type == "directory" or "metadata.json" in each.path for each in outputs):
            return ()
        from gitlineage import sidecars
        from gitlineage.artifacts import Reader

        top = self._entry.top
        reader = Reader(top, fingerprints.Fingerprints(self._repository.lineage_dir))

        def digest_of(name: str) -> bytes | None:
            try:
                return reader.read(name, how="declared").digests.get("blake3")
            except OSError:
                return None

        said, unread = sidecars.read(outputs, top, digest_of)
        self._lacking += unread
        return said

    def _cost(self, place: Place) -> Cost | None:
        """Return what it cost, where a price is known. Raises Refused."""
        config, launch, given = self._repository.config(), self._launch, self._recording.price
        is_set = any(key.startswith("lineage.") and key.endswith(".price") for key in config)
        if not (given or is_set):
            return None
        from gitlineage import prices

        names = {
            "step": launch.step,
            "image": launch.image.name if launch.image else None,
            "instance": place.cloud.instance_type if place.cloud else None,
            "host": place.host,
        }
        price = (
            prices.parse(given, "--price", config.get(prices.CURRENCY))
            if given
            else prices.configured(config, names)
        )
        return prices.cost(price, self._recording.outcome.duration) if price else None


def status_of(outcome: Outcome, *, is_limited: bool = False) -> str:
    """Return how an execution ended, in our words; `is_limited` for one that limits ended."""
    if outcome.exit_code == 0:
        return "succeeded"
    # A shell reports a child that was stopped by ending with 128 + n itself.
    is_stopped = outcome.signal in STOPPING or outcome.exit_code in (130, 143) or is_limited
    return "stopped" if is_stopped else "failed"


def with_masked(end: End, launch: Launch, masking: Masking, entry: Entry) -> End:
    """Return an end without secrets, which tells what was masked in all of the record."""
    end = masking.end(end, encoding.encode(end))
    if os.path.exists(entry.points_path):  # processes that log have masked by themselves
        with open(entry.points_path, "rb") as file:
            masking.recognize(file.read(), "the metadata")
    found = masking.found()
    said = sentence((*launch.masked, *found))
    return end.replace(masked=found, warnings=(*end.warnings, said)) if said else end


def parts_of(entry: Entry, end: End, log: bytes, collected: Collected) -> dict[str, bytes]:
    """Return the parts of a record that are at hand."""
    parts = entry.kept() | {"launch": entry.launch, "record": encoding.encode(end)}
    if log:
        parts["log"] = log
    if collected.count > 1:
        parts.update(collected.parts())
    return parts


def finished_of(
    launch: Launch,
    end: End,
    parts: Mapping[str, bytes],
    collected: Collected,
    claims: tuple[str, ...],
    zone: str,
) -> Finished:
    """Return a whole record."""
    file_tags = {}
    if end.file_metadata:
        from gitlineage import sidecars

        file_tags = sidecars.tags(end.file_metadata)
    return Finished(
        parts=parts,
        files=collected.files(),
        file_tags=file_tags,
        message=message_of(launch, end, end.execution),
        author=(launch.agent.name, launch.agent.email, launch.started_at // 1_000_000, zone),
        claims=claims,
        tags=launch.tags,
    )
