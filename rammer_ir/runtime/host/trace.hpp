// The record of what a vEU did when; only dispatchers that are compiled with RAMMER_TRACE keep one.
#pragma once

#ifdef RAMMER_TRACE
#include <chrono>
#include <cstdint>

namespace rammer {

// Times are nanoseconds of the steady clock; rammer_ir/runtime/trace.py repeats the layout.
struct TraceRecord {
    uint64_t start;
    uint64_t end;
    uint64_t waited;  // for words, inside a task
    int32_t launch;
    int32_t instruction;
    int32_t task;  // -1: not a task
    int32_t iteration;
};

inline uint64_t trace_clock() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace rammer

#define RAMMER_TRACED(task) const TraceScope traced(*this, task)
#else
#define RAMMER_TRACED(task)
#endif
