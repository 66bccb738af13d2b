"""One execution while it is being recorded: what is known of it so far, in no order."""

from __future__ import annotations

from gitlineage.masking import Masking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitlineage.capture import Capture
    from gitlineage.completion import Completion
    from gitlineage.entries import Entry
    from gitlineage.environment import Gathered
    from gitlineage.limits import Watch
    from gitlineage.observation import Observed
    from gitlineage.points import Points
    from gitlineage.records.end import Comparison, End, Usage
    from gitlineage.records.launch import Launch
    from gitlineage.relay.outcome import Outcome
    from gitlineage.sampling import Sampler
    from gitlineage.staging import Placing


class Recording:
    """One execution while it is being recorded."""

    def __init__(
        self,
        entry: Entry,
        launch: Launch,
        capture: Capture,
        ancestors: Sequence[str],
        kept: Points,
        service: str | None = None,
        stage: Placing | None = None,
    ) -> None:
        self.entry = entry
        self.launch = launch
        self.capture = capture
        self.ancestors = ancestors
        self.stage = stage
        self.points = kept
        self.given = launch
        """The launch as it really is; what is recorded has its secrets masked."""
        self.masking = Masking({})
        self.observe = False
        """Its system calls are to be observed, or it is not to start."""
        self.observed: Observed | None = None
        """What its system calls told, where they were observed."""
        self.completion: Completion | None = None
        self.service = service
        """Where a cloud's metadata service is, if it may be asked."""
        self.gather: Callable[[], Gathered] | None = None
        """Finds out where, and on what, it runs."""
        self.gathered: Gathered | None = None
        self.suspects: Sequence[str] | None = None
        """Warnings of code that seems to hold secrets; None where nobody has looked yet."""
        self.price: str | None = None
        """What an hour costs, as given."""
        self.compare: Callable[[End], Comparison] | None = None
        """Of a reproduction: says how it came out."""
        self.sampler: Sampler | None = None
        self.watch: Watch | None = None
        """What ends it, where it is a step that has limits."""
        self.is_limited = False
        """It was ended by one of these."""
        self.usage: Usage | None = None
        self.samples = b""
        """A block of a series."""
        self.outcome: Outcome
        self.end: End | None = None
        self.problem: Exception | None = None
        """Why the record is not in the ledger yet, where it is not."""
        self.unsigned: str | None = None
        """Why it was to be signed and is not."""
        self.is_kept = False
        """The finished record is on disk: a later command can append it."""

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.entry.id

    def look_again(self) -> Gathered | None:
        """Return what was gathered; again where packages came or went while the command ran."""
        if self.gather and self.gathered and not self.gathered.is_current():
            self.gathered = self.gather()
        return self.gathered

    def end_samples(self) -> None:
        """Take no more samples, and keep what they come to."""
        if self.sampler is not None:
            self.usage, self.samples = self.sampler.finish()
            self.sampler = None

    def end_watch(self) -> None:
        """Watch no more, and keep why it was ended, if it was."""
        if self.watch is not None:
            self.watch.finish()
            if self.watch.reason is not None:
                self.is_limited = True
                self.capture.warnings.append(self.watch.reason)
            self.watch = None

    def headline(self) -> str:
        """Return the closing line's words: `train succeeded in 12.3 s, 2 outputs`."""
        from gitlineage import wording

        end = self.end
        if end is None:
            return f"{self.launch.step} was not recorded"
        words = f"{self.launch.step} {end.status}"
        if end.duration is not None:
            words += f" in {wording.duration(end.duration)}"
        deleted = sum(each.change == "deleted" for each in end.outputs)
        count = len(end.outputs) - deleted
        words += f", {count} output{'s' * (count != 1)}" if count else ""
        return words + (f", {deleted} deleted" if deleted else "")
