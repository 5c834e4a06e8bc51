// What a vEU on a CUDA device does: one resident block that executes its stream of instructions (program_image.py).
//
// With a service role, its first warp walks the stream, resolves descriptors and hands tasks to the compute role through a
// queue in shared memory; its second warp walks the same stream ahead of all waits and fills the ring of weights. Without
// one, the first warp of the compute role fetches each instruction when it is due.
//
// No spin is without end. The compute role leaves only where its threads agree to (a barrier that reduces); the first
// service warp never waits for anything but the compute role; the second stops when it is told to.
//
// The generated text around this file defines RAMMER_* and rammer::call_body, call_service and has_service.
#pragma once

namespace rammer {

constexpr int threads = RAMMER_THREADS;
constexpr int service_threads = RAMMER_SERVICE_THREADS;
constexpr bool has_service_role = service_threads > 0;
constexpr int working_threads = threads + (has_service_role ? 64 : 0);  // further service warps leave at once
constexpr int operands_maximum = RAMMER_OPERANDS;
constexpr int parameters_maximum = RAMMER_PARAMETERS;
constexpr int window_instructions = 16;
constexpr int cached_descriptors = 4;
constexpr unsigned all_roles_barrier = 0;

constexpr int counter_bytes = 32;    // one sector each
constexpr int barrier_bytes = 128;   // one line each

// The kernel's only parameter. The layout is repeated in cuda/arguments.py.
struct Arguments {
  Control* control;
  unsigned char* counters;  // two banks, in each the barriers, then the counters
  const int4* instructions;
  const int* descriptors;
  Error* report;            // in the host's memory
  Word bank_bytes;
  Word timeout;
  int iteration;            // loop index outside of loops
  int launch;
  int launches;             // of the program
  int padding;
  Word spaces[RAMMER_SPACES];
  int scalars[RAMMER_SCALARS];
  int streams[RAMMER_VEUS];  // first instruction of each vEU
};

enum Opcode { END, RUN, BARRIER, WAIT, SIGNAL, PIN, FOR, NEXT };

struct Instruction {
  int words[8];
};

// An instruction as the compute role gets it; a RUN once for each task. What does not change from use to use (where
// operands, parameters and scratch are, the tag) is written once.
struct alignas(16) Entry {
  Instruction instruction;
  int place;       // in the table
  int iteration;
  Task task;
  void* operands[operands_maximum];
  int parameters[parameters_maximum];
};
// The four integers from `place` to `task.iteration` are written as one vector.
static_assert(sizeof(Instruction) == 32 && sizeof(Task) == 40, "they begin at a multiple of 16 bytes");

// A descriptor in shared memory, its addresses resolved except for the loop index.
struct Descriptor {
  Word bases[operands_maximum];
  int bytes_per_iteration[operands_maximum];
  int parameters[parameters_maximum];
};

// What a warp that walks the stream keeps in shared memory.
struct Cache {
  int4 window[2][window_instructions * 2];
  Descriptor descriptors[cached_descriptors];
};

constexpr int walkers = has_service_role ? 2 : 1;
constexpr int entries = has_service_role ? queue_slots : 1;

// After the ring, the scratch and the pinned memory. The last entry is for service functions.
struct Queue {
  Entry entries[rammer::entries + 1];
  Cache caches[walkers];
  int meetings[RAMMER_BARRIERS];  // this vEU had at each barrier
};

constexpr int scratch_offset = static_cast<int>(ring_offset) + RAMMER_RING_BYTES;
constexpr int pinned_offset = scratch_offset + (RAMMER_SCRATCH_BYTES + 127) / 128 * 128;
constexpr int queue_offset = pinned_offset + (RAMMER_PINNED_BYTES + 127) / 128 * 128;

static_assert(queue_offset + (sizeof(Queue) + 15) / 16 * 16 == RAMMER_SHARED_BYTES, "cuda/layout.py says otherwise");
static_assert(operands_maximum > 0 && parameters_maximum > 0, "arrays need an element");

RAMMER_DEVICE Queue* queue() { return reinterpret_cast<Queue*>(rammer_shared + queue_offset); }

// ------------------------------------------------------------------------------------------------ walking the stream

// Walks one vEU's stream; FOR and NEXT are executed here. A whole warp does it together.
class Walker {
 public:
  RAMMER_DEVICE Walker(const Arguments& arguments, Cache* cache)
      : arguments_(arguments), cache_(cache), next_(arguments.streams[blockIdx.x]), iteration_(arguments.iteration) {
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) tags_[i] = -1;
  }

  RAMMER_DEVICE int iteration() const { return iteration_; }
  RAMMER_DEVICE int place() const { return place_; }

  // The next instruction that is neither FOR nor NEXT; the instructions after END are never read.
  RAMMER_DEVICE Instruction next() {
    for (;;) {
      const Instruction instruction = fetch(next_);
      const int* words = instruction.words;
      if (words[0] == FOR) {
        left_ = words[2] < 0 ? words[1] : arguments_.scalars[words[2]];
        iteration_ = left_ > 0 ? 0 : iteration_;
        next_ = left_ > 0 ? next_ + 1 : words[3];
      } else if (words[0] == NEXT) {
        left_ -= 1;
        iteration_ = left_ > 0 ? iteration_ + 1 : arguments_.iteration;
        next_ = left_ > 0 ? words[1] : next_ + 1;
      } else {
        place_ = next_++;
        return instruction;
      }
    }
  }

  // Writes the instruction that next() gave last; a RUN with its operands and parameters at this loop index.
  RAMMER_DEVICE void write(Entry* entry, const Instruction& instruction, int task) {
    if (instruction.words[0] == RUN) resolve(cached(instruction.words[2]), entry);
    if (lane() < 8) entry->instruction.words[lane()] = reinterpret_cast<const int*>(window_entry(place_))[lane()];
    if (lane() == 0) *reinterpret_cast<int4*>(&entry->place) = make_int4(place_, iteration_, task, iteration_);
    __syncwarp();
  }

 private:
  RAMMER_DEVICE const int4* window_entry(int place) const {
    return &cache_->window[place / window_instructions % 2][place % window_instructions * 2];
  }

  RAMMER_DEVICE Instruction fetch(int place) {
    const int first = place / window_instructions * window_instructions;
    const bool even = place / window_instructions % 2 == 0;
    if ((even ? even_window_ : odd_window_) != first) {
      (even ? even_window_ : odd_window_) = first;
      __syncwarp();
      cache_->window[even ? 0 : 1][lane()] = load_weight(arguments_.instructions + first * 2 + lane());
      __syncwarp();
    }
    Instruction instruction;
    *reinterpret_cast<int4*>(instruction.words) = window_entry(place)[0];
    *reinterpret_cast<int4*>(instruction.words + 4) = window_entry(place)[1];
    return instruction;
  }

  // What lies beyond a descriptor's own operands and parameters is copied too: that costs less than to ask.
  RAMMER_DEVICE void resolve(const Descriptor* cached, Entry* entry) {
#pragma unroll
    for (int first = 0; first < operands_maximum; first += 32) {
      const int i = first + lane();
      if (i < operands_maximum) {
        const long long moved = static_cast<long long>(cached->bytes_per_iteration[i]) * iteration_;
        entry->operands[i] = reinterpret_cast<void*>(cached->bases[i] + moved);
      }
    }
#pragma unroll
    for (int first = 0; first < parameters_maximum; first += 32) {
      const int i = first + lane();
      if (i < parameters_maximum) entry->parameters[i] = cached->parameters[i];
    }
  }

  RAMMER_DEVICE const Descriptor* cached(int descriptor) {
    int line = -1;
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) {
      if (tags_[i] == descriptor) line = i;
    }
    if (line >= 0) return &cache_->descriptors[line];
    line = oldest_;
    oldest_ = (oldest_ + 1) % cached_descriptors;
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) {
      if (i == line) tags_[i] = descriptor;
    }
    __syncwarp();
    read(arguments_.descriptors + descriptor, &cache_->descriptors[line]);
    __syncwarp();
    return &cache_->descriptors[line];
  }

  RAMMER_DEVICE void read(const int* words, Descriptor* descriptor) {
    const int4 head = load_weight(reinterpret_cast<const int4*>(words));
#pragma unroll 1
    for (int i = lane(); i < head.x; i += 32) {
      const int4 operand = load_weight(reinterpret_cast<const int4*>(words + 4 + 4 * i));
      const Word offset = static_cast<Word>(static_cast<unsigned>(operand.w)) << 32 | static_cast<unsigned>(operand.z);
      descriptor->bases[i] = space(operand.x) + offset;
      descriptor->bytes_per_iteration[i] = operand.y;
    }
#pragma unroll 1
    for (int i = lane(); i < head.y; i += 32) descriptor->parameters[i] = load_weight(words + 4 + 4 * head.x + i);
  }

  RAMMER_DEVICE Word space(int number) const {
    constexpr int pinned_space = 2;
    if (number == pinned_space) return reinterpret_cast<Word>(rammer_shared + pinned_offset);
    return arguments_.spaces[number];
  }

  const Arguments& arguments_;
  Cache* cache_;
  int next_;
  int iteration_;
  int place_ = 0;
  int left_ = 0;
  int even_window_ = -1;  // first instruction of each window
  int odd_window_ = -1;
  int tags_[cached_descriptors];
  int oldest_ = 0;
};

// ------------------------------------------------------------------------------------------------------ compute role

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
    if (thread() < 32) {
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
  if (instruction.words[0] == RUN) {
    call_body(instruction.words[1], &entry->task);
    // Scratch memory may be used again, and a signal may follow, after this barrier.
    leave = barrier_any(stopped());
  } else {
    leave = synchroniser.execute(instruction, iteration, arguments);
  }
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

// ------------------------------------------------------------------------------------------------------ service role

// Hands the stream to the compute role, as far ahead as the queue reaches.
class Feeder {
 public:
  RAMMER_DEVICE explicit Feeder(const Arguments& arguments) : walker_(arguments, &queue()->caches[0]) {}

  RAMMER_DEVICE void run() {
    for (bool more = true; more;) {
      const Instruction instruction = walker_.next();
      const bool is_run = instruction.words[0] == RUN;
      const int count = is_run ? instruction.words[4] : 1;
      for (int i = 0; more && i < count; ++i) more = push(instruction, instruction.words[3] + i * instruction.words[5]);
      more = more && instruction.words[0] != END;
    }
  }

 private:
  // Whether the compute role still takes entries.
  RAMMER_DEVICE bool push(const Instruction& instruction, int task) {
    bool left = false;
    while (!mbarrier_passed(shared_address(&state()->queue_empty[slot_]), parity_ ^ 1)) {
      left = stopped();
      if (left) break;
    }
    if (__any_sync(~0u, left)) return false;
    walker_.write(&queue()->entries[slot_], instruction, task);
    if (lane() == 0) mbarrier_arrive(shared_address(&state()->queue_full[slot_]));
    slot_ = slot_ + 1 == queue_slots ? 0 : slot_ + 1;
    parity_ ^= slot_ == 0 ? 1u : 0u;
    return true;
  }

  Walker walker_;
  int slot_ = 0;
  unsigned parity_ = 0;
};

#ifdef RAMMER_RING_SLOTS

// Calls the service functions of all tasks, ahead of all waits. Chunks in flight must not outlive the block.
RAMMER_DEVICE void stream_weights(const Arguments& arguments) {
  Walker walker(arguments, &queue()->caches[1]);
  Entry* entry = &queue()->entries[entries];
  for (;;) {
    const Instruction instruction = walker.next();
    if (instruction.words[0] == END) break;
    if (instruction.words[0] != RUN || !has_service(instruction.words[1])) continue;
    for (int i = 0; i < instruction.words[4]; ++i) {
      walker.write(entry, instruction, instruction.words[3] + i * instruction.words[5]);
      call_service(instruction.words[1], &entry->task);
      __syncwarp();
    }
    if (__any_sync(~0u, stopped())) break;
  }
  const RingPosition position = state()->writer;
  if (lane() < RAMMER_RING_SLOTS) {
    const unsigned parity = lane() < position.slot ? position.parity : position.parity ^ 1;
    while (!mbarrier_passed(shared_address(&state()->ring_full[lane()]), parity)) {
    }
  }
  __syncwarp();
}

#endif

// ------------------------------------------------------------------------------------------------------------ launch

RAMMER_DEVICE void initialise(const Arguments& arguments, Word epoch) {
  State* veu = state();
  // Unique among the launches of a program, and never zero: memory that was cleared holds no valid word.
  const unsigned tag = static_cast<unsigned>(epoch * static_cast<unsigned>(arguments.launches)) + arguments.launch + 1;
  if (threadIdx.x == 0) {
    for (int i = 0; i < queue_slots; ++i) {
      mbarrier_initialise(shared_address(&veu->queue_full[i]), 1);
      mbarrier_initialise(shared_address(&veu->queue_empty[i]), compute_warps);
    }
#ifdef RAMMER_RING_SLOTS
    for (int i = 0; i < RAMMER_RING_SLOTS; ++i) {
#if __CUDA_ARCH__ >= 900
      mbarrier_initialise(shared_address(&veu->ring_full[i]), 1);
#else
      mbarrier_initialise(shared_address(&veu->ring_full[i]), 32);
#endif
      mbarrier_initialise(shared_address(&veu->ring_empty[i]), compute_warps);
    }
#endif
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
    veu->writer = RingPosition{0, 0};
    veu->failure = Error{};
    veu->stop = 0;
    veu->control = arguments.control;
    veu->timeout = arguments.timeout;
    veu->scratch_offset = scratch_offset;
  }
  for (int i = static_cast<int>(threadIdx.x); i <= entries; i += static_cast<int>(blockDim.x)) {
    Entry* entry = &queue()->entries[i];
    entry->task.scratch = reinterpret_cast<char*>(rammer_shared + scratch_offset);
    entry->task.operands = entry->operands;
    entry->task.parameters = entry->parameters;
    entry->task.tag = tag;
  }
  if (threadIdx.x < 32) veu->readers[threadIdx.x] = RingReader{{0, 0}, 0};
  for (int i = static_cast<int>(threadIdx.x); i < RAMMER_BARRIERS; i += static_cast<int>(blockDim.x)) queue()->meetings[i] = 0;
}

// Nobody else touches the idle bank in this launch, and the next one starts after this one has ended: every vEU clears
// its share.
RAMMER_DEVICE void clear_bank(unsigned char* bank, Word bytes, int first, int count) {
  uint4* words = reinterpret_cast<uint4*>(bank);
  for (Word i = static_cast<Word>(blockIdx.x) * count + first; i < bytes / 16; i += static_cast<Word>(gridDim.x) * count) {
    words[i] = make_uint4(0, 0, 0, 0);
  }
}

// Whether bodies took as many chunks from the ring as service functions pushed.
RAMMER_DEVICE void check_ring() {
  State* veu = state();
  const RingPosition reader = veu->readers[0].position, writer = veu->writer;
  if (reader.slot != writer.slot || reader.parity != writer.parity) {
    give_up(Patience::exhausted, Failure::ring_excess, writer.slot, 0, 0);
  }
}

RAMMER_DEVICE void meet_all_roles() {
  asm volatile("bar.sync %0, %1;" ::"n"(all_roles_barrier), "n"(working_threads) : "memory");
}

RAMMER_DEVICE void launch(const Arguments& arguments) {
  if (threadIdx.x >= working_threads) return;
  const Word epoch = load_relaxed(&arguments.control->exits) / gridDim.x;
  unsigned char* bank = arguments.counters + (epoch % 2) * arguments.bank_bytes;
  unsigned char* idle_bank = arguments.counters + (1 - epoch % 2) * arguments.bank_bytes;
  initialise(arguments, epoch);
  meet_all_roles();
  if constexpr (has_service_role) {
    if (threadIdx.x < threads) {
      compute(arguments, bank);
    } else if (threadIdx.x < threads + 32) {
      Feeder(arguments).run();
    } else {
      clear_bank(idle_bank, arguments.bank_bytes, lane(), 32);
#ifdef RAMMER_RING_SLOTS
      stream_weights(arguments);
#endif
    }
  } else {
    clear_bank(idle_bank, arguments.bank_bytes, thread(), threads);
    compute_alone(arguments, bank);
  }
  meet_all_roles();
  if (threadIdx.x == 0) {
    check_ring();
    report(arguments, -1, -1);
    atomicAdd(&arguments.control->exits, 1ull);
  }
}

}  // namespace rammer
