// A vEU on the host, and the state of a program that its vEUs share.
#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <vector>

#include "control.hpp"
#include "tables.hpp"
#include "trace.hpp"
#include "vdevice.hpp"

extern "C" {
using RammerBody = void (*)(rammer::Task*);
// Generated for each program: body i, and its service function or null.
extern const RammerBody rammer_bodies[];
extern const RammerBody rammer_services[];
}

namespace rammer {

constexpr std::size_t kMemoryAlignment = 256;

struct FreeMemory {
    void operator()(char* memory) const { ::operator delete(memory, std::align_val_t(kMemoryAlignment)); }
};
using Memory = std::unique_ptr<char, FreeMemory>;

inline Memory allocate(int64_t bytes) {
    const std::size_t size = bytes > 0 ? static_cast<std::size_t>(bytes) : 1;
    return Memory(static_cast<char*>(::operator new(size, std::align_val_t(kMemoryAlignment))));
}

// What a launch keeps from run to run. Its epoch is the number of times that all of its vEUs have left it.
struct LaunchState {
    explicit LaunchState(std::size_t counters) : banks(counters) {}
    std::atomic<uint64_t> exits{0};
    CounterBanks banks;
};

// What the vEUs of a program read, and the control through which they meet.
struct Shared {
    Shared(const Tables& given, std::size_t veus) : tables(given), sizes(*given.sizes), control(veus) {}

    const Tables tables;
    const Sizes& sizes;
    Control control;
    std::vector<std::unique_ptr<LaunchState>> launches;
    const int32_t* scalars = nullptr;
};

// The chunks of weights of the task at work: the slots of the ring are the weights themselves.
struct Chunks {
    std::vector<const void*> pushed;
    std::size_t taken = 0;
    std::size_t released = 0;
    Memory empty_slot;  // handed out where a body takes more than was pushed

    void clear() {
        pushed.clear();
        taken = released = 0;
    }
};

struct alignas(kCacheLine) VirtualUnit {
    Shared* shared = nullptr;
    std::size_t index = 0;
    Memory scratch;
    Memory pinned;
    Chunks chunks;
    std::vector<char*> spaces;

    void allocate_memory(Shared& program, std::size_t number);

    // Executes this vEU's stream of a launch, at host loop index t.
    void execute(int64_t launch_number, int32_t t);

    void push(const void* weights, int64_t bytes);
    const void* take();

    void fail(FailureKind kind, int64_t counter, int64_t value, int64_t wanted);

#ifdef RAMMER_TRACE
    std::vector<TraceRecord> trace;
    uint64_t waited = 0;  // for words, in the task at work
#endif

  private:
#ifdef RAMMER_TRACE
    // Records an instruction, or a task, from here to the end of the scope.
    struct TraceScope {
        TraceScope(VirtualUnit& traced, int32_t task) : unit(traced) {
            unit.waited = 0;
            record = {trace_clock(), 0,    0, static_cast<int32_t>(unit.launch), unit.instruction, task,
                      task < 0 ? unit.iteration : unit.task.iteration};
        }
        ~TraceScope() {
            record.end = trace_clock();
            record.waited = unit.waited;
            unit.trace.push_back(record);
        }
        VirtualUnit& unit;
        TraceRecord record;
    };
#endif

    bool step(const int32_t* words);
    void run(const int32_t* words);
    void run_task(int32_t body);
    void resolve(const int32_t* descriptor);
    void wait(const int32_t* words);
    void meet(const int32_t* words);
    void begin_loop(const int32_t* words);
    void end_loop(const int32_t* words);
    void wait_for(int32_t counter, const Counter& at, int64_t wanted, FailureKind kind);

    Task task{};
    std::vector<char*> operands;
    std::vector<uint32_t> meetings;  // by barrier
    Counter* counters = nullptr;     // of the launch's epoch; the barriers' follow
    int64_t launch = 0;
    int32_t instruction = 0;
    int32_t launch_iteration = 0;
    int32_t iteration = 0;
    int32_t iterations = 0;
};

}  // namespace rammer
