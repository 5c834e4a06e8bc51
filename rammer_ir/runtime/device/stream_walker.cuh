// Reads a vEU's stream of instructions and resolves descriptors.
#pragma once

#include "dispatcher_layout.cuh"

namespace rammer {

// Walks one vEU's stream; FOR and NEXT are executed here. A whole warp does it together.
class Walker {
 public:
  RAMMER_DEVICE Walker(const Arguments& arguments, Cache* cache)
      : arguments_(arguments), cache_(cache), next_(arguments.streams[blockIdx.x]), iteration_(arguments.iteration) {
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) tags_[i] = -1;
  }

  // The next instruction that is neither FOR nor NEXT; the instructions after END are never read.
  RAMMER_DEVICE Instruction next() {
    for (;;) {
      const Instruction instruction = fetch(next_);
      const int* words = instruction.words;
      if (words[0] == FOR) {
        left_ = words[2] < 0 ? words[1] : arguments_.scalars[words[2]];
        iteration_ = left_ > 0 ? 0 : iteration_;
        next_ = left_ > 0 ? next_ + 1 : words[3];
      } else if (words[0] == NEXT) {
        left_ -= 1;
        iteration_ = left_ > 0 ? iteration_ + 1 : arguments_.iteration;
        next_ = left_ > 0 ? words[1] : next_ + 1;
      } else {
        place_ = next_++;
        return instruction;
      }
    }
  }

  // Writes the instruction that next() gave last; a RUN with its operands and parameters at this loop index.
  RAMMER_DEVICE void write(Entry* entry, const Instruction& instruction, int task) {
    // Only a RUN has a sixth and a seventh operand.
    const int steps = instruction.words[7];
    const int iteration = steps == 0 ? iteration_ + instruction.words[6] : 0;
    if (instruction.words[0] == RUN) resolve(cached(instruction.words[2]), iteration, entry);
    if (lane() < 8) entry->instruction.words[lane()] = reinterpret_cast<const int*>(window_entry(place_))[lane()];
    if (lane() == 0) *reinterpret_cast<int4*>(&entry->place) = make_int4(place_, iteration, task, iteration);
    if (lane() == 0) entry->task.steps = steps == 0 ? 1 : steps > 0 ? steps : arguments_.scalars[-1 - steps];
    __syncwarp();
  }

 private:
  RAMMER_DEVICE const int4* window_entry(int place) const {
    return &cache_->window[place / window_instructions % 2][place % window_instructions * 2];
  }

  RAMMER_DEVICE Instruction fetch(int place) {
    const int first = place / window_instructions * window_instructions;
    const bool even = place / window_instructions % 2 == 0;
    if ((even ? even_window_ : odd_window_) != first) {
      (even ? even_window_ : odd_window_) = first;
      __syncwarp();
      cache_->window[even ? 0 : 1][lane()] = load_weight(arguments_.instructions + first * 2 + lane());
      __syncwarp();
    }
    Instruction instruction;
    *reinterpret_cast<int4*>(instruction.words) = window_entry(place)[0];
    *reinterpret_cast<int4*>(instruction.words + 4) = window_entry(place)[1];
    return instruction;
  }

  // What lies beyond a descriptor's own operands and parameters is copied too: that costs less than to ask.
  RAMMER_DEVICE void resolve(const Descriptor* cached, int iteration, Entry* entry) {
#pragma unroll
    for (int first = 0; first < operands_maximum; first += 32) {
      const int i = first + lane();
      if (i < operands_maximum) {
        const long long moved = static_cast<long long>(cached->bytes_per_iteration[i]) * iteration;
        entry->operands[i] = reinterpret_cast<void*>(cached->bases[i] + moved);
      }
    }
#pragma unroll
    for (int first = 0; first < parameters_maximum; first += 32) {
      const int i = first + lane();
      if (i < parameters_maximum) entry->parameters[i] = cached->parameters[i];
    }
  }

  RAMMER_DEVICE const Descriptor* cached(int descriptor) {
    int line = -1;
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) {
      if (tags_[i] == descriptor) line = i;
    }
    if (line >= 0) return &cache_->descriptors[line];
    line = oldest_;
    oldest_ = (oldest_ + 1) % cached_descriptors;
#pragma unroll
    for (int i = 0; i < cached_descriptors; ++i) {
      if (i == line) tags_[i] = descriptor;
    }
    __syncwarp();
    read(arguments_.descriptors + descriptor, &cache_->descriptors[line]);
    __syncwarp();
    return &cache_->descriptors[line];
  }

  RAMMER_DEVICE void read(const int* words, Descriptor* descriptor) {
    const int4 head = load_weight(reinterpret_cast<const int4*>(words));
#pragma unroll 1
    for (int i = lane(); i < head.x; i += 32) {
      const int4 operand = load_weight(reinterpret_cast<const int4*>(words + 4 + 4 * i));
      const Word offset = static_cast<Word>(static_cast<unsigned>(operand.w)) << 32 | static_cast<unsigned>(operand.z);
      descriptor->bases[i] = space(operand.x) + offset;
      descriptor->bytes_per_iteration[i] = operand.y;
    }
#pragma unroll 1
    for (int i = lane(); i < head.y; i += 32) descriptor->parameters[i] = load_weight(words + 4 + 4 * head.x + i);
  }

  RAMMER_DEVICE Word space(int number) const {
    constexpr int pinned_space = 2;
    if (number == pinned_space) return reinterpret_cast<Word>(rammer_shared + pinned_offset);
    return arguments_.spaces[number];
  }

  const Arguments& arguments_;
  Cache* cache_;
  int next_;
  int iteration_;
  int place_ = 0;
  int left_ = 0;
  int even_window_ = -1;  // first instruction of each window
  int odd_window_ = -1;
  int tags_[cached_descriptors];
  int oldest_ = 0;
};

}  // namespace rammer
