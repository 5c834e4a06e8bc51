// A program's tables as the loader hands them over; rammer_ir/runtime/program_image.py describes the form.
#pragma once

#include <cstdint>

namespace rammer {

enum Opcode : int32_t { kEnd, kRun, kBarrier, kWait, kSignal, kPin, kFor, kNext };

enum Space : int32_t { kArena, kWeights, kPinned, kFirstBinding };

constexpr int kInstructionWords = 8;

struct LaunchTable {
    int64_t veus;
    int64_t first_stream;  // index into the streams
    int64_t ring_slots;
    int64_t ring_slot_bytes;
};

struct HostLoopTable {
    int64_t first;
    int64_t count;
    int64_t iterations;
    int64_t scalar;  // -1: none
};

struct Sizes {
    int64_t launches;
    int64_t loops;
    int64_t counters;
    int64_t barriers;
    int64_t bindings;
    int64_t operands;  // largest number in a descriptor
    int64_t arena_bytes;
    int64_t scratch_bytes;  // largest of a launch
    int64_t pinned_bytes;   // largest of a launch
    int64_t poison;         // 1: memory that nothing has written holds NaN
};

struct Tables {
    const Sizes* sizes;
    const int32_t* instructions;
    const int32_t* descriptors;
    const LaunchTable* launches;
    const int32_t* streams;
    const HostLoopTable* loops;  // in order of their first launch
    const char* weights;
};

enum FailureKind : int64_t { kNone, kEventTimeout, kBarrierTimeout, kWordTimeout, kRingCount, kRingSlot, kRingHeld };

// The first failure of a run. For the ring, `value` is what the body does, and `wanted` what is right.
struct Failure {
    int64_t kind;
    int64_t counter;
    int64_t value;
    int64_t wanted;
    int64_t launch;
    int64_t veu;
    int64_t instruction;
    int64_t iteration;
};

}  // namespace rammer

// Implemented by the dispatcher. A program is run by one thread at a time.
extern "C" {
struct RammerProgram;
// Returns null and writes a text to `message` on failure. The tables must outlive the program.
RammerProgram* rammer_create(const rammer::Tables* tables, char* message, int64_t message_bytes);
// Inputs, then outputs. Returns the kind of the failure, which is written to `failure`; the program may be run again.
int64_t rammer_run(RammerProgram* program, char* const* bindings, const int32_t* scalars, int64_t timeout_ns,
                   rammer::Failure* failure);
void rammer_destroy(RammerProgram* program);
}
