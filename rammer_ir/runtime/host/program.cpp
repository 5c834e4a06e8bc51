// A loaded program: its memory, its launches in order, and the interface to the loader.
#include <algorithm>
#include <cstring>
#include <exception>

#include "virtual_unit.hpp"
#include "workers.hpp"

namespace {

std::size_t most_veus(const rammer::Tables& tables) {
    int64_t most = 1;
    for (int64_t i = 0; i < tables.sizes->launches; ++i) most = std::max(most, tables.launches[i].veus);
    return static_cast<std::size_t>(most);
}

}  // namespace

struct RammerProgram {
    explicit RammerProgram(const rammer::Tables& tables);

    void run(char* const* bindings, const int32_t* scalars);
    void reset_counters();
#ifdef RAMMER_TRACE
    const std::vector<rammer::TraceRecord>& trace(std::size_t veu) const { return units_[veu].trace; }
#endif

    rammer::Shared shared;
    rammer::Memory arena;

  private:
    void bind(char* const* bindings);
    void run_loop(const rammer::HostLoopTable& loop);
    void run_launch(int64_t number, int32_t t);

    std::vector<rammer::VirtualUnit> units_;
    rammer::Workers workers_;
    int64_t launch_ = 0;
    int32_t iteration_ = 0;
};

RammerProgram::RammerProgram(const rammer::Tables& tables)
    : shared(tables, most_veus(tables)),
      arena(rammer::allocate(tables.sizes->arena_bytes)),
      units_(most_veus(tables)),
      workers_(units_.size()) {
    const std::size_t counters = static_cast<std::size_t>(shared.sizes.counters + shared.sizes.barriers);
    for (int64_t i = 0; i < shared.sizes.launches; ++i) {
        shared.launches.push_back(std::make_unique<rammer::LaunchState>(counters));
    }
    for (std::size_t i = 0; i < units_.size(); ++i) units_[i].allocate_memory(shared, i);
    // No word may seem to be stored before it is.
    memset(arena.get(), 0, shared.sizes.arena_bytes);
}

void RammerProgram::run(char* const* bindings, const int32_t* scalars) {
    shared.scalars = scalars;
#ifdef RAMMER_TRACE
    for (rammer::VirtualUnit& unit : units_) unit.trace.clear();
#endif
    bind(bindings);
    const rammer::HostLoopTable* loop = shared.tables.loops;
    const rammer::HostLoopTable* const last = loop + shared.sizes.loops;
    for (int64_t next = 0; next < shared.sizes.launches;) {
        if (loop != last && loop->first == next) {
            run_loop(*loop);
            next += loop++->count;
        } else {
            run_launch(next++, 0);
        }
    }
}

void RammerProgram::bind(char* const* bindings) {
    const bool poison = shared.sizes.poison != 0;
    if (poison) memset(arena.get(), 0xff, shared.sizes.arena_bytes);
    for (rammer::VirtualUnit& unit : units_) {
        unit.spaces[rammer::kArena] = arena.get();
        unit.spaces[rammer::kWeights] = const_cast<char*>(shared.tables.weights);
        unit.spaces[rammer::kPinned] = unit.pinned.get();
        std::copy(bindings, bindings + shared.sizes.bindings, unit.spaces.begin() + rammer::kFirstBinding);
        if (poison) memset(unit.pinned.get(), 0xff, shared.sizes.pinned_bytes);
    }
}

void RammerProgram::run_loop(const rammer::HostLoopTable& loop) {
    const int64_t iterations = loop.scalar < 0 ? loop.iterations : shared.scalars[loop.scalar];
    for (int64_t t = 0; t < iterations; ++t) {
        for (int64_t i = 0; i < loop.count; ++i) run_launch(loop.first + i, static_cast<int32_t>(t));
    }
}

void RammerProgram::run_launch(int64_t number, int32_t t) {
    if (shared.control.stopped()) return;
    launch_ = number;
    iteration_ = t;
    shared.control.start_launch(shared.tables.launches[number].veus);
    workers_.run(
        [](void* context, std::size_t worker) {
            RammerProgram& program = *static_cast<RammerProgram*>(context);
            if (static_cast<int64_t>(worker) >= program.shared.tables.launches[program.launch_].veus) return;
            program.units_[worker].execute(program.launch_, program.iteration_);
        },
        this);
}

// After a failure a bank may be half counted. Epochs go on, so that no word of the failed run is taken for a new one.
void RammerProgram::reset_counters() {
    for (const auto& state : shared.launches) {
        state->banks.clear(0);
        state->banks.clear(1);
    }
}

#define RAMMER_EXPORT __attribute__((visibility("default")))

extern "C" {

RAMMER_EXPORT RammerProgram* rammer_create(const rammer::Tables* tables, char* message, int64_t message_bytes) {
    try {
        return new RammerProgram(*tables);
    } catch (const std::exception& error) {
        strncpy(message, error.what(), message_bytes - 1);
        return nullptr;
    }
}


RAMMER_EXPORT int64_t rammer_run(RammerProgram* program, char* const* bindings, const int32_t* scalars,
                                 int64_t timeout_ns, rammer::Failure* failure) {
    program->shared.control.start_run(std::chrono::nanoseconds(timeout_ns));
    program->run(bindings, scalars);
    *failure = program->shared.control.failure();
    if (failure->kind != rammer::kNone) program->reset_counters();
    return failure->kind;
}

#ifdef RAMMER_TRACE
// The records of a vEU in the last run; they stay where they are until the next. Returns how many there are.
RAMMER_EXPORT int64_t rammer_trace(const RammerProgram* program, int64_t veu, const rammer::TraceRecord** records) {
    const std::vector<rammer::TraceRecord>& trace = program->trace(static_cast<std::size_t>(veu));
    *records = trace.data();
    return static_cast<int64_t>(trace.size());
}
#endif

RAMMER_EXPORT void rammer_destroy(RammerProgram* program) { delete program; }
}
