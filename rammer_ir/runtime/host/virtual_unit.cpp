// Executes a vEU's stream of instructions by the rules in rammer_ir/runtime/program_image.py.
#include "virtual_unit.hpp"

#include <algorithm>
#include <cstring>

namespace rammer {
namespace {

int64_t offset(const int32_t* low_and_high) {
    return static_cast<int64_t>(low_and_high[1]) << 32 | static_cast<uint32_t>(low_and_high[0]);
}

int64_t largest_slot(const Tables& tables) {
    int64_t largest = 0;
    for (int64_t i = 0; i < tables.sizes->launches; ++i) {
        largest = std::max(largest, tables.launches[i].ring_slot_bytes);
    }
    return largest;
}

}  // namespace

void VirtualUnit::allocate_memory(Shared& program, std::size_t number) {
    const Sizes& sizes = program.sizes;
    const int64_t slot_bytes = largest_slot(program.tables);
    shared = &program;
    index = number;
    scratch = allocate(sizes.scratch_bytes);
    pinned = allocate(sizes.pinned_bytes);
    chunks.empty_slot = allocate(slot_bytes);
    memset(chunks.empty_slot.get(), 0, slot_bytes);
    spaces.resize(kFirstBinding + sizes.bindings);
    operands.resize(sizes.operands);
    meetings.resize(sizes.barriers);
    task.scratch = scratch.get();
    task.unit = this;
}

void VirtualUnit::execute(int64_t launch_number, int32_t t) {
    const LaunchTable& table = shared->tables.launches[launch_number];
    LaunchState& state = *shared->launches[launch_number];
    // Relaxed: the workers order launches, and an order that a program does not ask for would hide its races.
    const uint64_t epoch = state.exits.load(std::memory_order_relaxed) / static_cast<uint64_t>(table.veus);
    counters = state.banks.bank(epoch);
    if (index == 0) state.banks.clear(epoch + 1);
    launch = launch_number;
    launch_iteration = iteration = t;
    // Never 0, and no other launch of the program has it.
    task.stamp = static_cast<uint32_t>(epoch * shared->launches.size() + launch + 1);
    std::fill(meetings.begin(), meetings.end(), 0);
    instruction = shared->tables.streams[table.first_stream + index];
    while (step(shared->tables.instructions + int64_t{instruction} * kInstructionWords)) {
        shared->control.advance(index);
        if (shared->control.stopped()) break;
    }
    shared->control.leave_launch();
    state.exits.fetch_add(1, std::memory_order_relaxed);
}

// Executes one instruction and moves to the next; false at the end of the stream.
bool VirtualUnit::step(const int32_t* words) {
    switch (words[0]) {
        case kRun: run(words); break;
        case kBarrier: {
            RAMMER_TRACED(-1);
            meet(words);
            break;
        }
        case kWait: {
            RAMMER_TRACED(-1);
            wait(words);
            break;
        }
        case kSignal: counters[words[1]].value.fetch_add(1, std::memory_order_release); break;
        case kPin: memcpy(pinned.get() + words[2], spaces[words[1]] + offset(words + 4), words[3]); break;
        case kFor: begin_loop(words); return true;
        case kNext: end_loop(words); return true;
        default: return false;
    }
    ++instruction;
    return true;
}

void VirtualUnit::run(const int32_t* words) {
    const int32_t body = words[1];
    const int32_t first = words[3];
    const int32_t count = words[4];
    const int32_t stride = words[5];
    const int32_t steps = words[7];
    task.iteration = steps == 0 ? iteration + words[6] : 0;
    task.steps = steps == 0 ? 1 : steps > 0 ? steps : shared->scalars[-1 - steps];
    resolve(shared->tables.descriptors + words[2]);
    for (int32_t i = 0; i < count && !shared->control.stopped(); ++i) {
        task.index = first + i * stride;
        {
            RAMMER_TRACED(task.index);
            run_task(body);
        }
        shared->control.advance(index);
    }
}

void VirtualUnit::run_task(int32_t body) {
    if (shared->sizes.poison != 0) memset(scratch.get(), 0xff, shared->sizes.scratch_bytes);
    const RammerBody service = rammer_services[body];
    if (service != nullptr) {
        chunks.clear();
        service(&task);
    }
    rammer_bodies[body](&task);
    if (service == nullptr) return;
    const int64_t pushed = static_cast<int64_t>(chunks.pushed.size());
    for (const std::size_t count : {chunks.taken, chunks.released}) {
        if (static_cast<int64_t>(count) != pushed) fail(kRingCount, 0, static_cast<int64_t>(count), pushed);
    }
}

void VirtualUnit::resolve(const int32_t* descriptor) {
    const int32_t count = descriptor[0];
    const int32_t* words = descriptor + 4;
    for (int32_t i = 0; i < count; ++i, words += 4) {
        operands[i] = spaces[words[0]] + offset(words + 2) + int64_t{task.iteration} * words[1];
    }
    task.operands = operands.data();
    task.parameters = words;
}

void VirtualUnit::wait(const int32_t* words) {
    const int64_t wanted = words[3] + int64_t{words[4]} * iteration;
    for (int32_t i = 0; i < words[2] && !shared->control.stopped(); ++i) {
        wait_for(words[1] + i, counters[words[1] + i], wanted, kEventTimeout);
    }
}

void VirtualUnit::meet(const int32_t* words) {
    const int32_t barrier = words[1];
    Counter& counter = counters[shared->sizes.counters + barrier];
    counter.value.fetch_add(1, std::memory_order_acq_rel);
    wait_for(barrier, counter, int64_t{++meetings[barrier]} * words[2], kBarrierTimeout);
}

void VirtualUnit::wait_for(int32_t counter, const Counter& at, int64_t wanted, FailureKind kind) {
    const auto ready = [&at, wanted] { return int64_t{at.value.load(std::memory_order_acquire)} >= wanted; };
    if (shared->control.wait(ready) == Outcome::kTimedOut) {
        fail(kind, counter, at.value.load(std::memory_order_relaxed), wanted);
    }
}

void VirtualUnit::begin_loop(const int32_t* words) {
    iterations = words[2] < 0 ? words[1] : shared->scalars[words[2]];
    if (iterations <= 0) {
        instruction = words[3];
        return;
    }
    iteration = 0;
    ++instruction;
}

void VirtualUnit::end_loop(const int32_t* words) {
    if (++iteration < iterations) {
        instruction = words[1];
        return;
    }
    iteration = launch_iteration;
    ++instruction;
}

void VirtualUnit::push(const void* weights, int64_t bytes) {
    const int64_t fits = shared->tables.launches[launch].ring_slot_bytes;
    if (bytes > fits) fail(kRingSlot, 0, bytes, fits);
    chunks.pushed.push_back(weights);
}

const void* VirtualUnit::take() {
    const int64_t slots = shared->tables.launches[launch].ring_slots;
    const int64_t held = static_cast<int64_t>(++chunks.taken - chunks.released);
    if (held > slots) fail(kRingHeld, 0, held, slots);
    return chunks.taken <= chunks.pushed.size() ? chunks.pushed[chunks.taken - 1] : chunks.empty_slot.get();
}

void VirtualUnit::fail(FailureKind kind, int64_t counter, int64_t value, int64_t wanted) {
    shared->control.fail({kind, counter, value, wanted, launch, static_cast<int64_t>(index), instruction, iteration});
}

}  // namespace rammer

extern "C" {

void rammer_ring_push(const rammer::Task* task, const void* weights, int64_t bytes) {
    task->unit->push(weights, bytes);
}

const void* rammer_ring_wait(const rammer::Task* task) { return task->unit->take(); }

void rammer_ring_release(const rammer::Task* task) { ++task->unit->chunks.released; }

rammer::Word rammer_wait_word(const rammer::Task* task, const rammer::Word* word) {
    const uint32_t stamp = task->stamp;
    rammer::Word bits = 0;
    const auto ready = [word, stamp, &bits] {
        bits = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        return static_cast<uint32_t>(bits >> 32) == stamp;
    };
#ifdef RAMMER_TRACE
    const uint64_t start = rammer::trace_clock();
#endif
    const rammer::Outcome outcome = task->unit->shared->control.wait(ready);
#ifdef RAMMER_TRACE
    task->unit->waited += rammer::trace_clock() - start;
#endif
    if (outcome == rammer::Outcome::kTimedOut) {
        task->unit->fail(rammer::kWordTimeout, 0, static_cast<int64_t>(bits >> 32), stamp);
    }
    return outcome == rammer::Outcome::kReady ? bits : 0;
}
}
