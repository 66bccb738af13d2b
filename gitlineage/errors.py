"""Every exception of the program: facts, one sentence, one hint. Knows no room and no terminal.

    LineageError                    1   anything below that has no finer code
      NotFound                      3   carries what was asked for
        NoRepository
          RepositoryRefused
            RepositoryNotTrusted
        NoWorkTree, UnknownId
          IsFile, NotHereAnyMore, NotTagged, TooShort, UnknownCommit, UnknownTag
        AmbiguousId, NothingRecorded, NothingBefore,
        NotDeployed, NotHere, NotInCode, NotSent, UnknownAlias, UnknownContent, UnknownRemote
        UnknownFile
          FileChanged, MadeUnseen, NotSoCalled, OnlyCode, OnlyParts
        NotConnected
          OtherWayRound
        NoConfiguration, UnknownStep, IsForgotten
        NothingToForget
          OnlyElsewhere
        NothingToArchive, NoArchive
      WrongUsage                    2   a command line that cannot be understood
        InvalidCondition, InvalidDate, InvalidQuery
      Damaged                       4   stored data is wrong
        InvalidRecord, NewerFormat
      Refused                       1   asked for something that is not done
        InvalidAlias, InvalidTag, InvalidLine, InvalidSetting, InputMissing, NothingRuns
        KeptFromRemote, NotAgreed, OptedOut, OnlyCopy
        ToolMissing, ToolFailed, PictureTooLarge, QueryTooLong, QueryTooLarge, RemoteFailed
        RemoteLibraryMissing
        ReadOnlyRepository
          NoRoom
        InvalidConfiguration, InvalidStep, UnknownParameter, UnsafeValue
      NotReproduced                   3   nothing was run, or not enough to compare
        NotPossible, ContentMissing, NotConfirmed
      GitFailed                     1   git or libgit2 said no; wraps the cause
        RefMoved, RefLocked, SyncRejected
      CaptureFailed               125   the command could not be started or observed
        NotObservable
        CommandNotFound 127
          CommandNotInImage, FileIsNoCommand, LineIsNoCommand
        CommandNotExecutable 126
          CommandNotExecutableInImage
        EngineUnreachable, UnknownImage, PullFailed, ContainerFailed
          GpusMissing

An exception is raised with facts as keyword arguments; `message` and `hint` are templates over
them. Only the doors turn them into text and an exit code.
"""

from __future__ import annotations

import errno


class LineageError(Exception):
    """Any error that the user can act on."""

    message = "{reason}"
    hint = ""
    exit_code = 1

    def __init__(self, **facts: object) -> None:
        super().__init__(facts)
        self.facts = facts

    def __str__(self) -> str:
        return self.message.format_map(self.facts)

    def advice(self) -> str:
        """Return the hint with the facts put in, or nothing."""
        return self.hint.format_map(self.facts)


class NotFound(LineageError):
    """What was asked for is not there."""

    message = "{what} not found"
    exit_code = 3


class NoRepository(NotFound):
    """The folder is not inside a git repository."""

    message = "not a git repository: {path}"
    hint = "go into a repository, or make one with `git init`"


class RepositoryRefused(NoRepository):
    """Git does not open the repository: its settings are damaged, or say what it does not know."""

    message = "git does not open the repository of {path}: {reason}"
    hint = "see what `git status` says there; what is kept in a newer way needs a newer git"


class RepositoryNotTrusted(RepositoryRefused):
    """The repository is another user's, and nobody has told git to trust it."""

    message = "git does not open another user's repository: {top}"
    hint = "if you trust that user: `git config --global --add safe.directory {top}`"


class NoWorkTree(NotFound):
    """The repository is bare, and what was asked for needs a work tree."""

    message = "this repository has no work tree: {path}"
    hint = "run the command in its work tree, or in a clone of it"


class UnknownId(NotFound):
    """No execution, tag or deployment answers to this name."""

    message = "no execution or tag is called {asked}"
    hint = "run `git lineage log` to see what there is, or `git lineage fetch` to get the team's"


class TooShort(UnknownId):
    """Ids begin so, and it is too little to name one."""

    message = "{asked} is too short for the beginning of an id: at least {least} digits"
    hint = "run `git lineage log --oneline` to see them"


class IsFile(UnknownId):
    """An execution was asked for, and the name is that of a file or a folder."""

    message = "{asked} is a {type}, no execution"
    hint = "what made it: `git lineage trace {asked}`, or `git lineage log --produces {asked}`"


class UnknownCommit(UnknownId):
    """Git finds no commit of this name, and no execution ran the code of one."""

    message = "no commit is called {asked}"
    hint = "name one as git does; `git lineage log` lists executions"


class UnknownTag(UnknownId):
    """Nothing has this tag."""

    message = "no tag is called {asked}"
    hint = "run `git lineage tag` to see what there is, or `git lineage fetch` to get the team's"


class NotTagged(UnknownId):
    """There is such a tag, and not on what it should be taken from."""

    message = "{asked} has no tag {tag}"
    hint = "`git lineage tag -l {tag}` lists what has it"


class NotHereAnyMore(UnknownId):
    """No execution here answers to this name, and months were moved into files."""

    hint = "what was recorded in {months} is in a file: `git lineage --archive FILE show {asked}`"


class AmbiguousId(NotFound):
    """Several ids start with these characters."""

    message = "{count} ids start with {asked}: {candidates}"
    hint = "give one more character, or run `git lineage log` to see them"


class NothingRecorded(NotFound):
    """There is no record at all."""

    message = "nothing has been recorded here yet"
    hint = "record a command with `git lineage run -- COMMAND`, or `git lineage fetch` the team's"


class NothingBefore(NotFound):
    """An execution is to be compared with the one before, and its step has none."""

    message = "{execution} is the first execution of step {step}"
    hint = "name the other one: `git lineage diff OTHER {execution}`"


class NotConnected(NotFound):
    """No data went from one to the other, as far as was recorded."""

    message = "nothing leads from {first} to {second}{within}"
    hint = "`git lineage trace {second} --up` shows all that it was made from"


class OtherWayRound(NotConnected):
    """Data went from the second to the first."""

    hint = "it is the other way round: `git lineage trace --between {second} {first}`"


class NotInCode(NotFound):
    """The code that an execution ran has no such file."""

    message = "the code of {execution} has no {path}"
    hint = "see what it has: `git lineage code {execution}`"


class NotSent(NotFound):
    """A part of a record stays where it was made, since its maker keeps such parts from remotes."""

    message = "the {part} of {execution} was not sent; it stays on {host}"
    hint = "ask for it there: `git lineage {verb} {execution}`"


class NothingToArchive(NotFound):
    """No month had ended before the date that was given."""

    message = "no month of the ledger had ended before {before}"
    hint = (
        "only whole months are moved: those before the one that the date is in, and before this one"
    )


class NoArchive(NotFound):
    """A file is no archive of months, or has not got the one that was asked for."""

    message = "{path} cannot be read as an archive: {reason}"
    hint = "`git lineage archive --before DATE FILE` makes one"


class NothingToForget(NotFound):
    """Nothing that is stored here is what should be forgotten."""

    message = "nothing that is recorded here is or holds {asked}"
    hint = "`git lineage fetch` brings what the team has; files and branches are not looked into"


class OnlyElsewhere(NothingToForget):
    """A secret is in what git has, but in nothing that can be taken out of a record."""

    message = "no record holds this text, but it is in {where}"
    hint = ""


class IsForgotten(NotFound):
    """An execution, a deployment or code was here once, and somebody has had it forgotten."""

    message = "{asked} was forgotten by {who} on {day}: {why}"
    hint = "`git lineage forget` lists what was forgotten"


class UnknownContent(NotFound):
    """No file is here, and no digest, output, tag or execution is called so."""

    message = "there is no file {asked}, and nothing that was recorded is called so"
    hint = "name a path, a digest, EXECUTION:PATH for an output, alias:NAME or a tag"


class UnknownAlias(NotFound):
    """No alias is called so, or it was deleted."""

    message = "no alias is called {asked}"
    hint = "run `git lineage alias` to see what there is, or `git lineage fetch` to get the team's"


class NotHere(NotFound):
    """What an alias stands for is not in the work tree."""

    message = "{asked} is {path} with content {digest}, which is not in the work tree"
    hint = "`git lineage trace {asked}` shows what made it; `git lineage reproduce` makes it again"


class UnknownRemote(NotFound):
    """The repository has no remote of this name."""

    message = "there is no remote called {asked}"
    hint = "`git remote -v` lists them"


class NotDeployed(NotFound):
    """Nothing was ever deployed under this name."""

    message = "nothing was deployed as {asked}"
    hint = "run `git lineage deploy --list` to see what was"


class UnknownFile(NotFound):
    """No execution used or made this content, and none made this path."""

    message = "no execution knows {asked}"
    hint = "record the command that makes it: `git lineage run -- COMMAND`"


class NotSoCalled(UnknownFile):
    """No execution knows this path, but one that ends so, or an alias is called so."""

    hint = "did you mean {near}?"


class MadeUnseen(UnknownFile):
    """A file here is not known, and was written after an execution began whose recorder died."""

    message = (
        "no execution is known to have made {asked}, but {execution} may have: its recorder died"
    )
    hint = "see what ran: `git lineage show {execution}`"


class OnlyCode(UnknownFile):
    """A file here is tracked by git, and no execution used or made it as data."""

    message = "{asked} is code: no execution made it, or used it as data"
    hint = "`git lineage log --commit HEAD` lists the executions of the code that is checked out"


class OnlyParts(UnknownFile):
    """A folder here is not what any execution used or made, but files in it are known."""

    message = "no execution knows {asked} as a whole, only files in it"
    hint = "trace one of them: `git lineage files {asked}` lists them"


class FileChanged(UnknownFile):
    """A file or folder here is not what any execution used or made, but its path is known."""

    message = "{path} was changed since execution {execution} {did} it"
    hint = "see what it was then: `git lineage trace {before}`"


class NoConfiguration(NotFound):
    """There is no file that describes steps."""

    message = "there is no valohai.yaml or lineage.yaml in {folders}"
    hint = "only name what runs with `git lineage run --step {step} -- COMMAND`, or write one"


class UnknownStep(NotFound):
    """The configuration has no step of this name."""

    message = "{path} has no step {asked}"
    hint = "{near}"


class WrongUsage(LineageError):
    """A command line that cannot be understood."""

    message = "{reason}"
    hint = "git lineage {verb} -h"
    exit_code = 2


class InvalidCondition(WrongUsage):
    """The condition of `log --where` cannot be understood."""

    message = "{reason} at character {place} of: {text}"
    hint = "such as: accuracy > 0.9 and lr < 0.01 and tag = 'sweep'; docs/sql.md tells more"


class InvalidDate(WrongUsage):
    """A date that git cannot read."""

    message = "not a date: {asked}"
    hint = "a date is anything that git reads: 2026-03-01, '1 May 14:00', yesterday, 2.weeks.ago"


class InvalidQuery(WrongUsage):
    """A query in SQL that cannot be answered, or would do more than read."""

    message = "the query is not answered: {reason}"
    hint = "`git lineage sql --schema` lists what can be asked"


class Damaged(LineageError):
    """Stored data is wrong."""

    message = "{what} is damaged: {reason}"
    exit_code = 4


class InvalidRecord(Damaged):
    """A record does not decode."""

    message = "record {record} does not decode: {reason}"
    hint = "others stay readable; `git lineage log` lists them"


class NewerFormat(Damaged):
    """A record was written by a later version of the program."""

    message = "record {record} has format {found}; this version reads up to {known}"
    hint = "install a newer git-lineage"


class Refused(LineageError):
    """Asked for something that is not done."""

    message = "{reason}"


class OnlyCopy(Refused):
    """An archive would be the only copy of records."""

    message = "{path} would be the only copy: {reason}"
    hint = "`git lineage push` first; or use `--force`, and keep the file safe"


class InvalidLine(Refused):
    """What is to be appended holds a line that is no execution."""

    message = "line {line}: {reason}"
    hint = "{appended} executions were appended; correct the line, and go on behind those"


class InvalidSetting(Refused):
    """The configuration has a value that means nothing."""

    message = "{name} is {value}, which means nothing"
    hint = "{name} may be {allowed}"


class QueryTooLong(Refused):
    """A query in SQL took longer than it may."""

    message = "the query took more than {seconds} s"
    hint = "ask for less, or give it more time with --seconds"


class PictureTooLarge(Refused):
    """A trace has more in it than Graphviz draws in a time that anybody waits."""

    message = "{nodes} nodes and {edges} edges are too many for a picture; {most} are drawn"
    hint = "narrow it with --depth, --up, --down or --between A B; --format json and tree have all"


class QueryTooLarge(Refused):
    """A query in SQL took more memory than it may."""

    message = "the query took more memory than it may"
    hint = "ask for less: what is sorted or grouped is held, and so is each value as a whole"


class InvalidTag(Refused):
    """The name cannot be a tag."""

    message = "not a tag name: {name}"
    hint = "a tag is one short line of text that begins with neither @ nor -"


class InvalidAlias(Refused):
    """The name cannot be an alias."""

    message = "not a name for an alias: {name}"
    hint = "an alias is one line of printable text without a colon, 200 bytes at most"


class InputMissing(Refused):
    """A declared input does not exist or cannot be read."""

    message = "input {path}: {reason}"
    hint = "inputs are relative to the folder you are in; nothing was run"


class NothingRuns(Refused):
    """Metadata was logged outside a running execution where none could be started."""

    message = "no execution is running here"
    hint = "start the script with `git lineage run -- python SCRIPT`"


class KeptFromRemote(Refused):
    """Another remote has what is to be kept from this one, and what was sent does not change."""

    message = "{remote} is not to get the {what} of {records}, and another remote has it"
    hint = "`git config remote.{remote}.{setting} true` sends it there as well"


class NotAgreed(Refused):
    """Somebody was asked whether lineage may go to a remote, and did not agree."""

    message = "nothing was sent to {remote}"
    hint = "`git config remote.{remote}.lineage false` keeps lineage from it for good"


class OptedOut(Refused):
    """Lineage was to go to a remote that is not to get any."""

    message = "{remote} is to get no lineage: remote.{remote}.lineage is false"
    hint = "`git config --unset remote.{remote}.lineage` takes that back"


class RemoteFailed(Refused):
    """A store, or the way to it, does not give what is behind a URI."""

    message = "{uri}: {reason}"
    hint = "{hint}"


class RemoteLibraryMissing(Refused):
    """What reads URIs of this scheme is not installed."""

    message = "{uri}: what reads such URIs, git-lineage[{extra}], is not installed"
    hint = "install it with `pip install 'git-lineage[{extra}]'`"


class ToolMissing(Refused):
    """A program that was asked for is not installed."""

    message = "{tool} is not installed, and {what} needs it"
    hint = "{remedy}"


class ToolFailed(Refused):
    """A program that was asked for could not do its work."""

    message = "{tool} failed: {reason}"


class ReadOnlyRepository(Refused):
    """The repository cannot be written to."""

    message = "cannot write to {path}: {reason}"
    hint = "make it writable, or record from a clone"

    @staticmethod
    def of(path: str, error: OSError) -> ReadOnlyRepository:
        """Return what to raise where the system lets nothing be written."""
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoRoom(path=path, reason=reason)
        return ReadOnlyRepository(path=path, reason=reason)


class NoRoom(ReadOnlyRepository):
    """The repository's disk is full, or somebody's share of it."""

    hint = "make room there, and run the command again"


class InvalidConfiguration(Refused):
    """A valohai.yaml or lineage.yaml cannot be read as one."""

    message = "{path}{where}: {reason}"
    hint = "nothing was run"


class InvalidStep(Refused):
    """A step cannot be run with what was given, or not as it is written."""

    message = "step {step}: {reason}"
    hint = "{remedy}"


class UnknownParameter(Refused):
    """A notebook has a cell with its parameters, and what was given is none of them."""

    message = "{notebook} has no parameter {name}"
    hint = "{remedy}"


class UnsafeValue(Refused):
    """A value would be read as code where the command of a step wants it."""

    message = "the value for {placeholder} cannot be put {place} and stay text"
    hint = "put {placeholder} where a plain argument stands, or give a value of letters and digits"


class NotReproduced(LineageError):
    """An execution cannot be reproduced."""

    message = "not possible to reproduce {execution}: {reason}"
    exit_code = 3


class NotPossible(NotReproduced):
    """Something that it takes to reproduce an execution is not to be had."""

    hint = "{remedy}"


class ContentMissing(NotReproduced):
    """An input is nowhere to be found by its content, and it is known what made it."""

    message = "not possible to reproduce {execution}: input {path} ({digest}) is not here"
    hint = "{maker} made it; `git lineage reproduce --chain {id}` makes it again first"


class NotConfirmed(NotReproduced):
    """The command of somebody else's record was not confirmed."""

    message = "{execution} was not run: {reason}"
    hint = "read it with `git lineage show {id}`, then confirm it on a terminal or with --yes"


class GitFailed(LineageError):
    """Git or libgit2 said no."""

    message = "git {command} failed: {reason}"


class RefMoved(GitFailed):
    """A ref kept moving for the whole time that was given to move it."""

    message = "{ref} kept moving for {seconds} s"
    hint = "run the command again"


class RefLocked(GitFailed):
    """A git that was killed while it moved a ref has left its lock."""

    message = "{ref} is locked by {path}"
    hint = (
        "remove that file if no git is running; {minutes} minutes after its death it goes by itself"
    )


class SyncRejected(GitFailed):
    """The remote refused lineage."""

    message = "{remote} did not take lineage: {reason}"
    hint = "what is unpushed stays here; try `git lineage push {remote}` again"


class CaptureFailed(LineageError):
    """The command could not be started or observed."""

    message = "{reason}"
    exit_code = 125


class NotObservable(CaptureFailed):
    """Files were to be observed, and nothing here can."""

    message = "the command cannot be observed: {reason}"
    hint = "nothing was run; {remedy}"


class CommandNotFound(CaptureFailed):
    """There is no such command."""

    message = "{command}: command not found"
    hint = "nothing was run; is it installed, and on PATH?"
    exit_code = 127


class LineIsNoCommand(CommandNotFound):
    """One word was given that holds a whole line, as a shell would take it."""

    message = "{command}: command not found: it is one word with spaces in it"
    hint = "nothing was run; give the words apart, or the line to a shell: `sh -c '...'`"


class FileIsNoCommand(CommandNotFound):
    """A file here was given where a program is expected, which PATH knows."""

    message = "{command}: command not found: it is a file here"
    hint = "nothing was run; put what runs it before it, `python {command}`, or say `./{command}`"


class CommandNotExecutable(CaptureFailed):
    """The file is there and cannot be executed."""

    message = "{command}: {reason}"
    hint = "nothing was run; make it executable with `chmod +x {command}`"
    exit_code = 126


class CommandNotInImage(CommandNotFound):
    """The image has no such command."""

    message = "{command}: command not found in {image}"
    hint = "nothing was run; is it installed there, and on the image's PATH?"


class CommandNotExecutableInImage(CommandNotExecutable):
    """The file is there in the image and cannot be executed."""

    message = "{command}: not executable in {image}"
    hint = "nothing was run; is it a program?"


class EngineUnreachable(CaptureFailed):
    """A container was asked for, and no container engine answers."""

    message = "no container engine answers at {host}: {reason}"
    hint = "start Docker or Podman, or say in DOCKER_HOST where one is: unix:///path/to/its.sock"


class UnknownImage(CaptureFailed):
    """The image's name is none, or the engine has no such image."""

    message = "{reason}"
    hint = "nothing was run; images are called as for `docker pull`: NAME, NAME:TAG, NAME@DIGEST"


class PullFailed(CaptureFailed):
    """An image that is not here could not be pulled."""

    message = "cannot pull {image}: {reason}"
    hint = "nothing was run; check name and tag, or log in with `docker login`"


class ContainerFailed(CaptureFailed):
    """The container engine refused what was asked of it."""

    message = "the container engine says: {reason}"


class GpusMissing(ContainerFailed):
    """GPUs were asked for, and the engine cannot give them to a container."""

    message = "no GPUs for containers: {reason}"
    hint = "nothing was run; install the NVIDIA Container Toolkit, or leave out --gpus"
