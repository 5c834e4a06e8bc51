"""The proof that a launch does what its text says: no deadlock, no race, no counter or word reused too early."""

from collections.abc import Sequence

from rammer_ir.dialects.vdevice import LaunchOp
from rammer_ir.errors import VerificationError
from rammer_ir.scheduling.counters import Deadlock, SignalTable, find_deadlock
from rammer_ir.scheduling.happens_before import order_tasks
from rammer_ir.scheduling.loops import LoopCase, launch_cases
from rammer_ir.scheduling.program_form import ProgramForm, ProgramMemory
from rammer_ir.scheduling.publications import EarlyReuse
from rammer_ir.scheduling.races import Race, find_race
from rammer_ir.scheduling.schedule import Schedule
from rammer_ir.scheduling.unroll import UnrolledLaunch, unroll
from rammer_ir.scheduling.words import WordsFault, WrittenTwice, find_words_fault


def prove_launch(form: ProgramForm, launch: LaunchOp) -> None:
    """
    Proves a launch for all run-time lengths; raises VerificationError that names tasks, memory and nodes.

    Loops around the launch are run by the host, one iteration after another.
    """
    for case in launch_cases(form, launch):
        prove_case(form, launch, case)


def prove_case(form: ProgramForm, launch: LaunchOp, case: LoopCase) -> None:
    """Proves a launch for one choice of lengths; raises VerificationError as `prove_launch` does."""
    unrolled = unroll(form, launch, case.values, case.windows, case.open_lengths)
    schedule = unrolled.schedule
    table = SignalTable.of(schedule)
    deadlock = find_deadlock(schedule, table)
    if deadlock is not None:
        raise VerificationError(_say_deadlock(unrolled, deadlock))
    ordering, reuse = order_tasks(schedule, table)
    if reuse is not None:
        raise VerificationError(_say_reuse(unrolled, reuse))
    words = [number for number, memory in enumerate(form.memories) if memory.words]
    fault = find_words_fault(schedule, words)
    if fault is not None:
        raise VerificationError(_say_words(unrolled, form.memories, fault))
    race = find_race(_without(schedule, set(words)), ordering, [memory.memory for memory in form.memories])
    if race is not None:
        raise VerificationError(_say_race(unrolled, form.memories, race))


def _without(schedule: Schedule, memories: set[int]) -> Schedule:
    """The schedule without its accesses to some memories."""
    return schedule.select(lambda access: access.memory not in memories) if memories else schedule


def _say_deadlock(unrolled: UnrolledLaunch, deadlock: Deadlock) -> str:
    task = unrolled.describe(int(unrolled.schedule.first_tasks[deadlock.step]) + deadlock.task)
    counter = unrolled.describe_counter(deadlock.counter)
    signals = f"{deadlock.signals} before it in text order"
    if deadlock.total > deadlock.signals:
        signals += f", {deadlock.total - deadlock.signals} after it"
    return f"deadlock: {task} waits for {deadlock.threshold} signals of {counter}, which has {signals}"


def _say_reuse(unrolled: UnrolledLaunch, reuse: EarlyReuse) -> str:
    return (
        f"{unrolled.describe(reuse.late)} may signal {unrolled.describe_counter(reuse.counter)} before the "
        f"{reuse.threshold} signals that a wait means have come: nothing orders it after them"
    )


def _say_words(unrolled: UnrolledLaunch, memories: Sequence[ProgramMemory], fault: WordsFault) -> str:
    name = memories[fault.memory].name
    if isinstance(fault, WrittenTwice):
        first, second = unrolled.describe(fault.first), unrolled.describe(fault.second)
        return f"{first} and {second} write the same words of {name}: a word is written once a launch"
    return (
        f"deadlock: {unrolled.describe(fault.task)} reads {fault.missing} words of {name} that nothing before it in "
        "text order writes"
    )


def _say_race(unrolled: UnrolledLaunch, memories: Sequence[ProgramMemory], race: Race) -> str:
    verbs = ["writes" if access.write else "reads" for access in (race.first_access, race.second_access)]
    first, second = unrolled.describe(race.first), unrolled.describe(race.second)
    one, other = memories[race.first_access.memory].name, memories[race.second_access.memory].name
    if one == other:
        return f"{race.kind} race on {one}: {first} {verbs[0]} it, {second} {verbs[1]} it, and nothing orders them"
    return (
        f"{race.kind} race on the bytes of {one} and {other}: {first} {verbs[0]} the one, {second} {verbs[1]} the "
        "other, and nothing orders them"
    )
