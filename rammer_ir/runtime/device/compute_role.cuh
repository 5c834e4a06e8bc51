// Executes tasks and synchronises; the only place where vEUs wait for each other, words apart.
#pragma once

#include "stream_walker.cuh"
#include "trace.cuh"

namespace rammer {

// All threads of the compute role meet; whether `given` was true for any of them.
RAMMER_DEVICE bool barrier_any(bool given) {
  unsigned any;
  asm volatile(
      "{ .reg .pred p, q; setp.ne.u32 p, %1, 0; bar.red.or.pred q, %2, %3, p; selp.u32 %0, 1, 0, q; }"
      : "=r"(any)
      : "r"(static_cast<unsigned>(given)), "n"(compute_barrier), "n"(threads)
      : "memory");
  return any != 0;
}

RAMMER_DEVICE bool stopped() { return *reinterpret_cast<volatile int*>(&state()->stop) != 0; }

// Tells the host and the other vEUs; the first failure of a launch is the one that is reported.
RAMMER_DEVICE void report(const Arguments& arguments, int place, int iteration) {
  const Error failure = state()->failure;
  if (failure.kind == 0) return;
  Control* control = arguments.control;
  if (atomicCAS(&control->claimed, 0u, 1u) == 0) {
    *arguments.report = Error{failure.kind,     failure.index, failure.value, failure.wanted, arguments.launch,
                              static_cast<int>(blockIdx.x), place, iteration};
  }
  __threadfence();
  atomicExch(&control->aborted, 1u);
}

RAMMER_DEVICE unsigned load_acquire(const unsigned* counter) {
  unsigned value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
  return value;
}

// Everything this thread has seen, the writes of its role before their last barrier too, is released.
RAMMER_DEVICE void add_release(unsigned* counter) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
}

// Whether the counter reached `wanted` in time. The polls acquire: as measured, that is faster than relaxed polls and a
// fence. An acquire also invalidates this SM's L1.
RAMMER_DEVICE bool wait_counter(const unsigned* counter, unsigned wanted, Failure kind, int index) {
  unsigned value = load_acquire(counter);
  if (static_cast<int>(value - wanted) >= 0) return true;
  Spin spin;
  for (;;) {
    value = load_acquire(counter);
    if (static_cast<int>(value - wanted) >= 0) return true;
    const Patience patience = spin.poll();
    if (patience == Patience::left) continue;
    give_up(patience, kind, index, value, wanted);
    return false;
  }
}

// Not the warp of the thread that signals, if there is another: a release takes as long as a poll.
constexpr int polling_warp = threads >= 64 ? 1 : 0;

// Executes the instructions other than RUN, together with the whole compute role.
class Synchroniser {
 public:
  RAMMER_DEVICE explicit Synchroniser(unsigned char* bank) : bank_(bank) {}

  // Whether to leave; the same for all threads.
  RAMMER_DEVICE bool execute(const Instruction& instruction, int iteration, const Arguments& arguments) {
    const int* words = instruction.words;
    switch (words[0]) {
      case SIGNAL:
        // The role met after its last task: there is nothing left to wait for.
        if (thread() == 0) add_release(counter(words[1]));
        return false;
      case WAIT:
        return wait(words, iteration);
      case BARRIER:
        return meet(words[1], words[2]);
      case PIN:
        pin(words, arguments);
        barrier();
        return false;
      default:
        return true;
    }
  }

 private:
  RAMMER_DEVICE unsigned* barrier_counter(int index) const {
    return reinterpret_cast<unsigned*>(bank_ + index * barrier_bytes);
  }
  RAMMER_DEVICE unsigned* counter(int index) const {
    return reinterpret_cast<unsigned*>(bank_ + RAMMER_BARRIERS * barrier_bytes + index * counter_bytes);
  }

  RAMMER_DEVICE bool wait(const int* words, int iteration) {
    bool failed = false;
    if (thread() / 32 == polling_warp) {
      const unsigned wanted = static_cast<unsigned>(words[3] + words[4] * iteration);
      for (int i = lane(); i < words[2] && !failed; i += 32) {
        failed = !wait_counter(counter(words[1] + i), wanted, Failure::event, words[1] + i);
      }
    }
    return barrier_any(failed);
  }

  RAMMER_DEVICE bool meet(int index, int participants) {
    bool failed = false;
    if (thread() == 0) {
      const unsigned wanted = static_cast<unsigned>(++queue()->meetings[index] * participants);
      add_release(barrier_counter(index));
      failed = !wait_counter(barrier_counter(index), wanted, Failure::barrier, index);
    }
    return barrier_any(failed);
  }

  RAMMER_DEVICE void pin(const int* words, const Arguments& arguments) {
    const Word offset = static_cast<Word>(static_cast<unsigned>(words[5])) << 32 | static_cast<unsigned>(words[4]);
    const int4* from = reinterpret_cast<const int4*>(arguments.spaces[words[1]] + offset);
    int4* to = reinterpret_cast<int4*>(rammer_shared + pinned_offset + words[2]);
    for (int i = thread(); i < words[3] / 16; i += threads) to[i] = load(from + i);
  }

  unsigned char* bank_;
};

// Executes one entry; whether to leave.
RAMMER_DEVICE bool execute(Entry* entry, Synchroniser& synchroniser, const Arguments& arguments) {
  const Instruction instruction = entry->instruction;
  const int place = entry->place, iteration = entry->iteration;
  bool leave;
#ifdef RAMMER_TRACE
  const Word begun = trace_clock();
  const bool is_task = instruction.words[0] == RUN;
  const int task = is_task ? entry->task.index : -1;
  const int traced_iteration = is_task ? entry->task.iteration : iteration;
#endif
  if (instruction.words[0] == RUN) {
    call_body(instruction.words[1], &entry->task);
    // Scratch memory may be used again, and a signal may follow, after this barrier.
    leave = barrier_any(stopped());
  } else {
    leave = synchroniser.execute(instruction, iteration, arguments);
  }
#ifdef RAMMER_TRACE
  if (thread() == 0) trace_record(arguments.control, begun, arguments.launch, place, task, traced_iteration);
#endif
  if (leave && thread() == 0) report(arguments, place, iteration);
  return leave;
}

// Takes entries from the queue until the end of the stream.
RAMMER_DEVICE void compute(const Arguments& arguments, unsigned char* bank) {
  Synchroniser synchroniser(bank);
  int slot = 0;
  unsigned parity = 0;
  for (bool leave = false; !leave;) {
    // Without a time limit: the service role always comes here, whatever else has failed.
    while (!mbarrier_passed(shared_address(&state()->queue_full[slot]), parity)) {
    }
    leave = execute(&queue()->entries[slot], synchroniser, arguments);
    __syncwarp();
    if (lane() == 0) mbarrier_arrive(shared_address(&state()->queue_empty[slot]));
    slot = slot + 1 == queue_slots ? 0 : slot + 1;
    parity ^= slot == 0 ? 1u : 0u;
  }
  if (thread() == 0) *reinterpret_cast<volatile int*>(&state()->stop) = 1;
}

// The same without a service role.
RAMMER_DEVICE void compute_alone(const Arguments& arguments, unsigned char* bank) {
  Synchroniser synchroniser(bank);
  Entry* entry = &queue()->entries[0];
  Walker walker(arguments, &queue()->caches[0]);
  Instruction instruction;
  int task = 0, tasks_left = 0;
  for (bool leave = false; !leave;) {
    if (thread() < 32) {
      if (tasks_left == 0) {
        do {
          instruction = walker.next();
        } while (instruction.words[0] == RUN && instruction.words[4] <= 0);
        task = instruction.words[3];
        tasks_left = instruction.words[0] == RUN ? instruction.words[4] : 1;
      }
      walker.write(entry, instruction, task);
      task += instruction.words[5];
      tasks_left -= 1;
    }
    barrier();
    leave = execute(entry, synchroniser, arguments);
    // A SIGNAL has no barrier of its own.
    barrier();
  }
}

}  // namespace rammer
