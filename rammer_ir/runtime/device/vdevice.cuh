// What a kernel body may use on a CUDA device. Host bodies use the same names from vdevice.hpp, where they are serial.
//
// A body is `extern "C" __device__ void NAME(rammer::Task* task)`: every thread of the compute role calls it for every
// task. `NAME_service`, where it exists, is called by one whole warp of the service role, ahead of all waits; it may only
// push weights into the ring. Bodies are compiled one by one with -rdc=true and linked with the dispatcher.
//
// Compiled by NVRTC without any other header. RAMMER_THREADS is the number of threads in the compute role.
#pragma once

#ifndef RAMMER_THREADS
#error "RAMMER_THREADS, the number of threads in the compute role, is not defined"
#endif

#define RAMMER_DEVICE __device__ __forceinline__

// The vEU's shared memory: its state, then the ring, the scratch memory of bodies and the pinned memory. Pointers made
// from this array are known to the compiler to be shared, which a generic pointer read from memory is not.
extern __shared__ __align__(1024) unsigned char rammer_shared[];

namespace rammer {

using Word = unsigned long long;

constexpr int ring_slots_maximum = 32;
constexpr int queue_slots = 4;
constexpr int compute_warps = RAMMER_THREADS / 32;
constexpr unsigned compute_barrier = 1;
constexpr unsigned first_group_barrier = 2;

// ---------------------------------------------------------------------------------------------------- state of a vEU

// What was waited for in vain; the numbers are repeated in cuda/failure.py.
enum class Failure : int { none = 0, event = 1, barrier = 2, word = 3, ring = 4, ring_excess = 5 };

// The first wait of a launch that failed; it is written to the host. Repeated in cuda/failure.py.
struct Error {
  int kind;
  int index;         // counter, barrier or slot of the ring
  unsigned value;    // what the counter, or the upper half of the word, held
  unsigned wanted;
  int launch;
  int veu;
  int instruction;
  int iteration;
};

// One a launch, in global memory; zero when the program is loaded and after a failure.
struct Control {
  Word exits;        // of vEUs, in all runs of the launch so far
  unsigned aborted;
  unsigned claimed;
#ifdef RAMMER_TRACE
  unsigned char* trace;     // null: nothing is recorded
  Word trace_capacity;      // records of a vEU
#endif
};

// One use of a body. Where it lies in the queue, its operands and parameters follow it.
struct Task {
  int index;
  int iteration;
  char* scratch;
  void** operands;
  const int* parameters;
  unsigned tag;      // upper half of the words that are valid in this launch
  int steps;         // from `iteration` on: what a body is called for at once
};

// A place in the ring: a slot, and whether its current phase is even or odd.
struct RingPosition {
  int slot;
  unsigned parity;
};

// Where a warp of the compute role stands between two tasks.
struct RingReader {
  RingPosition position;  // of the next chunk
  int release_slot;       // of the oldest chunk that is still held
};

struct State {
  Word ring_full[ring_slots_maximum];
  Word ring_empty[ring_slots_maximum];
  Word queue_full[queue_slots];
  Word queue_empty[queue_slots];
  RingReader readers[32];
  RingPosition writer;
  Error failure;     // the first of this vEU; kind, index, value and wanted
  int stop;          // this vEU leaves as soon as it can
  Control* control;
  Word timeout;      // nanoseconds that a wait may take
  int scratch_offset;  // in rammer_shared
};

constexpr unsigned offsetof_ring_full = 0;
constexpr unsigned offsetof_ring_empty = 8 * ring_slots_maximum;
constexpr unsigned ring_offset = (sizeof(State) + 127) / 128 * 128;

RAMMER_DEVICE State* state() { return reinterpret_cast<State*>(rammer_shared); }

RAMMER_DEVICE unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// -------------------------------------------------------------------------------------------------- threads and barriers

RAMMER_DEVICE int thread() { return static_cast<int>(threadIdx.x); }
RAMMER_DEVICE int lane() { return static_cast<int>(threadIdx.x & 31); }

// All threads of the compute role meet.
RAMMER_DEVICE void barrier() { asm volatile("bar.sync %0, %1;" ::"n"(compute_barrier), "n"(RAMMER_THREADS) : "memory"); }

// The `threads` threads of one group of consecutive warps meet; groups are numbered from 0 to 13.
template <int threads>
RAMMER_DEVICE void group_barrier(int group) {
  if constexpr (threads <= 32) {
    __syncwarp();
  } else if constexpr (threads == RAMMER_THREADS) {
    barrier();
  } else {
    asm volatile("bar.sync %0, %1;" ::"r"(group + static_cast<int>(first_group_barrier)), "n"(threads) : "memory");
  }
}

// value / divisor for 0 <= value < 2^21 and 0 < divisor: a few instructions where a division takes about forty. The
// reciprocal is at most one unit in the last place off, the product another half, and the quotient of value + 1/2 is never
// closer to a whole number than half a divisor-th.
RAMMER_DEVICE int quotient(int value, int divisor) {
  float reciprocal;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(static_cast<float>(divisor)));
  return static_cast<int>((static_cast<float>(value) + 0.5f) * reciprocal);
}

// -------------------------------------------------------------------------------------------------------- task, memory

template <typename T>
RAMMER_DEVICE T* operand(const Task* task, int i) {
  return static_cast<T*>(task->operands[i]);
}

// The same for an operand in pinned memory: known to be shared.
template <typename T>
RAMMER_DEVICE T* pinned(const Task* task, int i) {
  return reinterpret_cast<T*>(__cvta_shared_to_generic(__cvta_generic_to_shared(task->operands[i])));
}

RAMMER_DEVICE int parameter(const Task* task, int i) { return task->parameters[i]; }

// The body's shared memory from byte `offset` on: known to be shared, which task->scratch is not.
template <typename T>
RAMMER_DEVICE T* scratch(const Task*, int offset = 0) {
  return reinterpret_cast<T*>(rammer_shared + state()->scratch_offset + offset);
}

template <int bytes>
struct Bits;
template <>
struct Bits<1> {
  // PTX has no 8-bit registers.
  RAMMER_DEVICE static void load(void* to, const void* from) {
    unsigned value;
    asm volatile("ld.global.cg.u8 %0, [%1];" : "=r"(value) : "l"(from));
    *static_cast<unsigned char*>(to) = static_cast<unsigned char>(value);
  }
  RAMMER_DEVICE static void load_weight(void* to, const void* from) {
    unsigned value;
    asm("ld.global.nc.u8 %0, [%1];" : "=r"(value) : "l"(from));
    *static_cast<unsigned char*>(to) = static_cast<unsigned char>(value);
  }
};
#define RAMMER_BITS(BYTES, TYPE, SUFFIX, CONSTRAINT)                                                    \
  template <>                                                                                           \
  struct Bits<BYTES> {                                                                                  \
    RAMMER_DEVICE static void load(void* to, const void* from) {                                        \
      asm volatile("ld.global.cg." SUFFIX " %0, [%1];" : CONSTRAINT(*static_cast<TYPE*>(to)) : "l"(from)); \
    }                                                                                                   \
    RAMMER_DEVICE static void load_weight(void* to, const void* from) {                                 \
      asm("ld.global.nc." SUFFIX " %0, [%1];" : CONSTRAINT(*static_cast<TYPE*>(to)) : "l"(from));       \
    }                                                                                                   \
  };
RAMMER_BITS(2, unsigned short, "u16", "=h")
RAMMER_BITS(4, unsigned, "u32", "=r")
RAMMER_BITS(8, unsigned long long, "u64", "=l")
#undef RAMMER_BITS
template <>
struct Bits<16> {
  RAMMER_DEVICE static void load(void* to, const void* from) {
    uint4* v = static_cast<uint4*>(to);
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v->x), "=r"(v->y), "=r"(v->z), "=r"(v->w) : "l"(from));
  }
  RAMMER_DEVICE static void load_weight(void* to, const void* from) {
    uint4* v = static_cast<uint4*>(to);
    asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v->x), "=r"(v->y), "=r"(v->z), "=r"(v->w) : "l"(from));
  }
};

// Data that may be written in this launch: through L2. `volatile` keeps it behind the barrier that made it valid; there
// is no memory clobber, so that several loads may be in flight.
template <typename T>
RAMMER_DEVICE T load(const T* pointer) {
  T value;
  Bits<sizeof(T)>::load(&value, pointer);
  return value;
}

// Data that nobody writes in this launch: the non-coherent path, free to move.
template <typename T>
RAMMER_DEVICE T load_weight(const T* pointer) {
  T value;
  Bits<sizeof(T)>::load_weight(&value, pointer);
  return value;
}

// ------------------------------------------------------------------------------------------------- asynchronous copies

// Copies `bytes` from global to shared memory, or zeros where `predicate` is false (nothing is read then).
//
// A copy of 16 bytes goes through L2 alone. PTX has 4-byte copies only as .ca, which may hit in L1. That is still right
// for data written in this launch: whatever a task reads of another vEU was released after it was written, and this vEU
// has acquired since; an acquire at gpu scope invalidates the SM's whole L1 (CCTL.IVALL), and no line that held
// the data before is left. Of its own writes a vEU's L1 is written through. Copies never stay in flight across a wait,
// since a body completes its copies.
template <int bytes>
RAMMER_DEVICE void copy_async(void* shared, const void* global, bool predicate) {
  static_assert(bytes == 4 || bytes == 16, "a copy is 4 or 16 bytes");
  const unsigned to = shared_address(shared);
  const int size = predicate ? bytes : 0;
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(size));
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(global), "r"(size));
  }
}

RAMMER_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most the `pending` youngest committed groups of this thread's copies are in flight.
template <int pending>
RAMMER_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// ---------------------------------------------------------------------------------------------------- tensor cores

// The nearest tf32 number, as a float.
RAMMER_DEVICE float round_tf32(float x) {
  unsigned result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return __uint_as_float(result);
}

// Adds the product of X[16, 8] and W[8, 8] to S[16, 8], spread over a warp as block.mma says.
RAMMER_DEVICE void mma_tf32(
    float& s0, float& s1, float& s2, float& s3, float x0, float x1, float x2, float x3, float w0, float w1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(s0), "+f"(s1), "+f"(s2), "+f"(s3)
      : "r"(__float_as_uint(x0)), "r"(__float_as_uint(x1)), "r"(__float_as_uint(x2)), "r"(__float_as_uint(x3)),
        "r"(__float_as_uint(w0)), "r"(__float_as_uint(w1)));
}

// ------------------------------------------------------------------------------------------------- bounded waiting

RAMMER_DEVICE Word nanoseconds() {
  Word time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
}

template <typename T>
RAMMER_DEVICE T load_relaxed(const T* pointer) {
  T value;
  if constexpr (sizeof(T) == 8) {
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(pointer) : "memory");
  } else {
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(pointer) : "memory");
  }
  return value;
}

enum class Patience : int { left, aborted, exhausted };

// Ends every spin: asks now and then whether the launch was given up or the time is over.
struct Spin {
  unsigned polls = 0;
  Word start = 0;

  RAMMER_DEVICE Patience poll() {
    if ((++polls & 63) != 0) return Patience::left;
    State* veu = state();
    if (*reinterpret_cast<volatile int*>(&veu->stop) != 0) return Patience::aborted;
    if (load_relaxed(&veu->control->aborted) != 0) return Patience::aborted;
    const Word now = nanoseconds();
    if (start == 0) start = now;
    return now - start > veu->timeout ? Patience::exhausted : Patience::left;
  }
};

// Ends a wait that failed. A body goes on with whatever it has, every later wait of this vEU ends soon, and the
// dispatcher reports the first failure and leaves.
RAMMER_DEVICE void give_up(Patience patience, Failure kind, int index, unsigned value, unsigned wanted) {
  State* veu = state();
  if (patience == Patience::exhausted && atomicCAS(&veu->failure.kind, 0, static_cast<int>(kind)) == 0) {
    veu->failure.index = index;
    veu->failure.value = value;
    veu->failure.wanted = wanted;
  }
  *reinterpret_cast<volatile int*>(&veu->stop) = 1;
}

// ---------------------------------------------------------------------------------------------------------- mbarriers

// They are named by their 32-bit addresses in shared memory.
RAMMER_DEVICE void mbarrier_initialise(unsigned barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

RAMMER_DEVICE void mbarrier_arrive(unsigned barrier) {
  asm volatile("{ .reg .b64 s; mbarrier.arrive.shared.b64 s, [%0]; }" ::"r"(barrier) : "memory");
}

RAMMER_DEVICE bool mbarrier_passed(unsigned barrier, unsigned parity) {
  unsigned passed;
#if __CUDA_ARCH__ >= 900
  asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
#else
  asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
#endif
               : "=r"(passed)
               : "r"(barrier), "r"(parity)
               : "memory");
  return passed != 0;
}

// --------------------------------------------------------------------------------------------------------------- ring

#ifdef RAMMER_RING_SLOTS

// Where this warp stands in the ring of weights, while it executes one task:
//
//   rammer::Ring ring(task);
//   for (...) {
//     const float* weights = ring.wait<float>();  // the next slot, in the order of the pushes
//     ...
//     ring.release();                             // the oldest slot not yet released goes back to the service role
//   }
//   ring.close();
//
// All warps of the compute role wait for, and release, every slot that is pushed for the task.
class Ring {
 public:
  RAMMER_DEVICE explicit Ring(const Task*) : base_(shared_address(rammer_shared)) {
    // Opaque, or the compiler computes the base anew (with a slow S2UR) at every use.
    asm("" : "+r"(base_));
    const RingReader reader = state()->readers[threadIdx.x / 32];
    slot_ = reader.position.slot;
    parity_ = reader.position.parity;
    release_slot_ = reader.release_slot;
  }

  template <typename T>
  RAMMER_DEVICE const T* wait() {
    const unsigned full = base_ + offsetof_ring_full + 8 * slot_;
    if (!mbarrier_passed(full, parity_)) wait_longer(full);
    const unsigned at = base_ + ring_offset + slot_ * RAMMER_RING_SLOT_BYTES;
    advance(slot_, parity_);
    return reinterpret_cast<const T*>(__cvta_shared_to_generic(at));
  }

  RAMMER_DEVICE void release() {
    __syncwarp();
    if (lane() == 0) mbarrier_arrive(base_ + offsetof_ring_empty + 8 * release_slot_);
    release_slot_ = release_slot_ + 1 == RAMMER_RING_SLOTS ? 0 : release_slot_ + 1;
  }

  // Leaves the position to the next task.
  RAMMER_DEVICE void close() {
    RingReader* reader = &state()->readers[threadIdx.x / 32];
    __syncwarp();
    if (lane() == 0) *reader = RingReader{{slot_, parity_}, release_slot_};
    __syncwarp();
  }

 private:
  RAMMER_DEVICE static void advance(int& slot, unsigned& parity) {
    const bool last = slot + 1 == RAMMER_RING_SLOTS;
    slot = last ? 0 : slot + 1;
    parity ^= last ? 1u : 0u;
  }

  RAMMER_DEVICE void wait_longer(unsigned full) {
    Spin spin;
    while (!mbarrier_passed(full, parity_)) {
      const Patience patience = spin.poll();
      if (patience == Patience::left) continue;
      give_up(patience, Failure::ring, slot_, 0, 0);
      break;
    }
  }

  unsigned base_;
  int slot_;
  unsigned parity_;
  int release_slot_;
};

// The same for bodies that take a chunk now and then: the position stays in shared memory, which costs more for each chunk.
// A task uses either these or a Ring.
template <typename T>
RAMMER_DEVICE const T* ring_wait(const Task* task) {
  Ring ring(task);
  const T* chunk = ring.wait<T>();
  ring.close();
  return chunk;
}

RAMMER_DEVICE void ring_release(const Task* task) {
  Ring ring(task);
  ring.release();
  ring.close();
}

// Copies `bytes` of weights (a multiple of 16, at most a slot; 16-byte aligned) into the next slot once it is free. Called
// by a whole warp, in service functions only.
RAMMER_DEVICE void ring_push(const Task*, const void* weights, int bytes) {
  State* veu = state();
  const int slot = veu->writer.slot;
  const unsigned parity = veu->writer.parity;
  const unsigned full = shared_address(&veu->ring_full[slot]);
  const unsigned empty = shared_address(&veu->ring_empty[slot]);
  const unsigned to = shared_address(rammer_shared + ring_offset + slot * RAMMER_RING_SLOT_BYTES);
  bool stopped = false;
  while (!mbarrier_passed(empty, parity ^ 1)) {
    // No time limit of its own: the compute role frees slots, and it never waits without one.
    if (*reinterpret_cast<volatile int*>(&veu->stop) != 0) {
      stopped = true;
      break;
    }
  }
  if (__any_sync(~0u, stopped)) {
    // Either the launch was given up, or the compute role ended without this chunk.
    give_up(Patience::exhausted, Failure::ring_excess, slot, 0, 0);
    return;
  }
#if __CUDA_ARCH__ >= 900
  if (lane() == 0) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(full), "r"(bytes) : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
                 "l"(weights), "r"(bytes), "r"(full)
                 : "memory");
  }
#else
  for (int i = lane() * 16; i < bytes; i += 512) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to + i),
                 "l"(static_cast<const char*>(weights) + i)
                 : "memory");
  }
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(full) : "memory");
#endif
  __syncwarp();
  if (lane() == 0) {
    const bool last = slot + 1 == RAMMER_RING_SLOTS;
    veu->writer.slot = last ? 0 : slot + 1;
    veu->writer.parity = parity ^ (last ? 1u : 0u);
  }
  __syncwarp();
}

#endif  // RAMMER_RING_SLOTS

// -------------------------------------------------------------------------------------------------------------- words

// The value of a word once it was stored in this launch.
RAMMER_DEVICE float load_word(const Task* task, const Word* word) {
  Word value = load_relaxed(word);
  if (static_cast<unsigned>(value >> 32) != task->tag) {
    Spin spin;
    while (static_cast<unsigned>((value = load_relaxed(word)) >> 32) != task->tag) {
      const Patience patience = spin.poll();
      if (patience == Patience::left) continue;
      give_up(patience, Failure::word, 0, static_cast<unsigned>(value >> 32), task->tag);
      break;
    }
  }
  return __uint_as_float(static_cast<unsigned>(value));
}

// The value and its validity travel in one 8-byte store: no fence is needed.
RAMMER_DEVICE void store_word(const Task* task, Word* word, float value) {
  const Word bits = static_cast<Word>(task->tag) << 32 | __float_as_uint(value);
  asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(bits) : "memory");
}

// --------------------------------------------------------------------------------------------------- warp collectives

#define RAMMER_WARP_REDUCE(NAME, EXPRESSION)                                  \
  RAMMER_DEVICE float warp_reduce_##NAME(float a) {                           \
    _Pragma("unroll") for (int distance = 16; distance > 0; distance /= 2) { \
      const float b = __shfl_xor_sync(~0u, a, distance);                      \
      a = EXPRESSION;                                                         \
    }                                                                         \
    return a;                                                                 \
  }
RAMMER_WARP_REDUCE(add, a + b)
RAMMER_WARP_REDUCE(maximum, fmaxf(a, b))
RAMMER_WARP_REDUCE(minimum, fminf(a, b))
RAMMER_WARP_REDUCE(multiply, a * b)
#undef RAMMER_WARP_REDUCE

}  // namespace rammer
