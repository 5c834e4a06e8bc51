// What kernel bodies for the host are compiled with: the body interface of vdevice.cuh, serially.
//
// A body is `extern "C" void NAME(rammer::Task* task)`; its thread-parallel regions are loops, so barriers between them
// and waits for asynchronous copies do nothing. Where it takes weights from the ring, `NAME_service` stands beside it and
// is called for each task just before the body: it pushes the weights' addresses, which the ring hands out in order.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Operands of a body never overlap unless the program says so: a pointer declared with it lets loops vectorise.
#define RAMMER_RESTRICT __restrict__

// `pointer`, which is known to be a multiple of `bytes`.
#define RAMMER_ALIGNED(pointer, bytes) static_cast<decltype(pointer)>(__builtin_assume_aligned((pointer), (bytes)))

namespace rammer {

struct VirtualUnit;

// One task: what a body is called with.
struct Task {
    int32_t index;              // linear task index
    int32_t iteration;          // loop index t
    char* scratch;              // the body's scratch memory, aligned to 64 bytes
    char* const* operands;      // resolved for this iteration
    const int32_t* parameters;
    uint32_t stamp;             // upper half of the words that are written in this launch
    VirtualUnit* unit;
};

}  // namespace rammer

// The dispatcher's part of the interface.
extern "C" {
void rammer_ring_push(rammer::Task* task, const void* weights, int64_t bytes);
const void* rammer_ring_wait(rammer::Task* task);
void rammer_ring_release(rammer::Task* task);
uint64_t rammer_wait_word(rammer::Task* task, const uint64_t* word);
}

namespace rammer {

template <class T>
inline T* operand(const Task* task, int number) {
    return reinterpret_cast<T*>(task->operands[number]);
}

inline int parameter(const Task* task, int number) { return task->parameters[number]; }

// Data that may be written in this launch.
template <class T>
inline T load(const T* address) {
    return *address;
}

// Data that nothing writes during the launch.
template <class T>
inline T load_weight(const T* address) {
    return *address;
}

inline void barrier() {}

// Copies `bytes`, or fills with zeros where `predicate` is false; `global` is not read then.
template <int bytes>
inline void copy_async(void* shared, const void* global, bool predicate) {
    if (predicate) {
        memcpy(shared, global, bytes);
    } else {
        memset(shared, 0, bytes);
    }
}

inline void commit_copies() {}

template <int groups>
inline void wait_copies() {}

inline void ring_push(Task* task, const void* weights, int64_t bytes) { rammer_ring_push(task, weights, bytes); }

// The next slot in order; it stays valid until its release.
template <class T>
inline const T* ring_wait(Task* task) {
    return static_cast<const T*>(rammer_ring_wait(task));
}

inline void ring_release(Task* task) { rammer_ring_release(task); }

// The value of a word, once it was stored in this launch. Returns 0 if the program is being stopped.
inline float load_word(Task* task, const uint64_t* word) {
    uint64_t bits = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (static_cast<uint32_t>(bits >> 32) != task->stamp) {
        bits = rammer_wait_word(task, word);
    }
    const uint32_t low = static_cast<uint32_t>(bits);
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

inline void store_word(Task* task, uint64_t* word, float value) {
    uint32_t low;
    memcpy(&low, &value, sizeof low);
    __atomic_store_n(word, static_cast<uint64_t>(task->stamp) << 32 | low, __ATOMIC_RELEASE);
}

}  // namespace rammer
