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

// A word: the stamp of the launch that stored it, and a float.
using Word = uint64_t;

// One task: what a body is called with.
struct Task {
    int32_t index;              // linear task index
    int32_t iteration;          // loop index t
    int32_t steps;              // from `iteration` on: what a body is called for at once
    char* scratch;              // the body's scratch memory, aligned to 64 bytes
    char* const* operands;      // resolved for this iteration
    const int32_t* parameters;
    uint32_t stamp;             // upper half of the words that are written in this launch
    VirtualUnit* unit;
};

}  // namespace rammer

// The dispatcher's part of the interface.
extern "C" {
void rammer_ring_push(const rammer::Task* task, const void* weights, int64_t bytes);
const void* rammer_ring_wait(const rammer::Task* task);
void rammer_ring_release(const rammer::Task* task);
rammer::Word rammer_wait_word(const rammer::Task* task, const rammer::Word* word);
}

namespace rammer {

template <class T>
inline T* operand(const Task* task, int number) {
    return reinterpret_cast<T*>(task->operands[number]);
}

// The same for an operand in pinned memory.
template <class T>
inline T* pinned(const Task* task, int number) {
    return operand<T>(task, number);
}

inline int parameter(const Task* task, int number) { return task->parameters[number]; }

// The body's scratch memory from byte `offset` on.
template <class T>
inline T* scratch(const Task* task, int offset = 0) {
    return reinterpret_cast<T*>(task->scratch + offset);
}

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

// 8 or 16 neighbouring floats, in vector registers.
typedef float Vector8 __attribute__((vector_size(32)));
typedef float Vector16 __attribute__((vector_size(64)));

template <int elements>
struct VectorOf;
template <>
struct VectorOf<8> {
    typedef Vector8 type;
};
template <>
struct VectorOf<16> {
    typedef Vector16 type;
};
template <int elements>
using Vector = typename VectorOf<elements>::type;

template <int elements>
inline Vector<elements> load_vector(const float* address) {
    Vector<elements> vector;
    memcpy(&vector, address, sizeof vector);
    return vector;
}

template <class V>
inline void store_vector(float* address, V vector) {
    memcpy(address, &vector, sizeof vector);
}

template <int elements>
inline Vector<elements> broadcast(float value) {
    return value - Vector<elements>{};  // minus 0 changes nothing, not even the sign of a zero
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

// For service functions only.
inline void ring_push(const Task* task, const void* weights, int64_t bytes) { rammer_ring_push(task, weights, bytes); }

// The next chunk, in the order of the pushes; it may be read until its release.
template <class T>
inline const T* ring_wait(const Task* task) {
    return static_cast<const T*>(rammer_ring_wait(task));
}

// Releases the oldest chunk that was waited for.
inline void ring_release(const Task* task) { rammer_ring_release(task); }

// The ring while one task is executed.
class Ring {
  public:
    explicit Ring(const Task* task) : task_(task) {}

    template <class T>
    const T* wait() {
        return ring_wait<T>(task_);
    }
    void release() { ring_release(task_); }
    void close() {}

  private:
    const Task* task_;
};

// The value of a word, once it was stored in this launch. Returns 0 if the program is being stopped.
inline float load_word(const Task* task, const Word* word) {
    Word bits = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (static_cast<uint32_t>(bits >> 32) != task->stamp) {
        bits = rammer_wait_word(task, word);
    }
    const uint32_t low = static_cast<uint32_t>(bits);
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

inline void store_word(const Task* task, Word* word, float value) {
    uint32_t low;
    memcpy(&low, &value, sizeof low);
    __atomic_store_n(word, static_cast<Word>(task->stamp) << 32 | low, __ATOMIC_RELEASE);
}

}  // namespace rammer
