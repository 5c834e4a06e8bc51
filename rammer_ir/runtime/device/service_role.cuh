// What service warps do ahead of the compute role.
#pragma once

#include "compute_role.cuh"

namespace rammer {

// Hands the stream to the compute role, as far ahead as the queue reaches.
class Feeder {
 public:
  RAMMER_DEVICE explicit Feeder(const Arguments& arguments) : walker_(arguments, &queue()->caches[0]) {}

  RAMMER_DEVICE void run() {
    for (bool more = true; more;) {
      const Instruction instruction = walker_.next();
      const bool is_run = instruction.words[0] == RUN;
      const int count = is_run ? instruction.words[4] : 1;
      for (int i = 0; more && i < count; ++i) more = push(instruction, instruction.words[3] + i * instruction.words[5]);
      more = more && instruction.words[0] != END;
    }
  }

 private:
  // Whether the compute role still takes entries.
  RAMMER_DEVICE bool push(const Instruction& instruction, int task) {
    bool left = false;
    while (!mbarrier_passed(shared_address(&state()->queue_empty[slot_]), parity_ ^ 1)) {
      left = stopped();
      if (left) break;
    }
    if (__any_sync(~0u, left)) return false;
    walker_.write(&queue()->entries[slot_], instruction, task);
    if (lane() == 0) mbarrier_arrive(shared_address(&state()->queue_full[slot_]));
    slot_ = slot_ + 1 == queue_slots ? 0 : slot_ + 1;
    parity_ ^= slot_ == 0 ? 1u : 0u;
    return true;
  }

  Walker walker_;
  int slot_ = 0;
  unsigned parity_ = 0;
};

#ifdef RAMMER_RING_SLOTS

// Calls the service functions of all tasks, ahead of all waits. Chunks in flight must not outlive the block.
RAMMER_DEVICE void stream_weights(const Arguments& arguments) {
  Walker walker(arguments, &queue()->caches[1]);
  Entry* entry = &queue()->entries[entries];
  for (;;) {
    const Instruction instruction = walker.next();
    if (instruction.words[0] == END) break;
    if (instruction.words[0] != RUN || !has_service(instruction.words[1])) continue;
    for (int i = 0; i < instruction.words[4]; ++i) {
      walker.write(entry, instruction, instruction.words[3] + i * instruction.words[5]);
      call_service(instruction.words[1], &entry->task);
      __syncwarp();
    }
    if (__any_sync(~0u, stopped())) break;
  }
  const RingPosition position = state()->writer;
  if (lane() < RAMMER_RING_SLOTS) {
    const unsigned parity = lane() < position.slot ? position.parity : position.parity ^ 1;
    while (!mbarrier_passed(shared_address(&state()->ring_full[lane()]), parity)) {
    }
  }
  __syncwarp();
}

#endif

}  // namespace rammer
