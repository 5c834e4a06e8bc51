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

#include "compute_role.cuh"
#include "service_role.cuh"

namespace rammer {

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
#ifdef RAMMER_TRACE
  if (threadIdx.x == 0) trace_begin(arguments.control);
#endif
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
#ifdef RAMMER_TRACE
    trace_end(arguments.control);
#endif
    check_ring();
    report(arguments, -1, -1);
    atomicAdd(&arguments.control->exits, 1ull);
  }
}

}  // namespace rammer
