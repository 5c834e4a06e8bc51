// What a vEU keeps in shared memory beside its state, and the parameter of its kernel.
#pragma once

#include "vdevice.cuh"

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

}  // namespace rammer
