// The record of what a vEU did when; only dispatchers that are compiled with RAMMER_TRACE keep one.
//
// Records are taken by the clock of the SM, which is fine and cheap. The header has that clock and the global one, in
// nanoseconds, at the beginning and at the end: the host makes one scale of them for all SMs.
#pragma once

#ifdef RAMMER_TRACE

namespace rammer {

// Repeated in cuda/trace.py, and records in runtime/trace.py.
struct TraceRecord {
  Word start;
  Word end;
  Word waited;
  int launch;
  int instruction;
  int task;  // -1: not a task
  int iteration;
};

struct TraceHeader {
  Word clock_begin;
  Word time_begin;
  Word clock_end;
  Word time_end;
  unsigned count;
  unsigned padding;
};
static_assert(sizeof(TraceRecord) == 40 && sizeof(TraceHeader) == 40, "the host counts on it");

RAMMER_DEVICE Word trace_clock() {
  Word clock;
  asm volatile("mov.u64 %0, %%clock64;" : "=l"(clock)::"memory");
  return clock;
}

RAMMER_DEVICE Word trace_time() {
  Word time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time)::"memory");
  return time;
}

// Where this vEU writes: its header, then `capacity` records.
RAMMER_DEVICE TraceHeader* trace_header(const Control* control) {
  return reinterpret_cast<TraceHeader*>(control->trace + blockIdx.x * (control->trace_capacity + 1) * sizeof(TraceRecord));
}

RAMMER_DEVICE void trace_begin(const Control* control) {
  if (control->trace == nullptr) return;
  TraceHeader* header = trace_header(control);
  if (header->time_begin != 0) return;
  header->clock_begin = trace_clock();
  header->time_begin = trace_time();
}

RAMMER_DEVICE void trace_end(const Control* control) {
  if (control->trace == nullptr) return;
  TraceHeader* header = trace_header(control);
  header->clock_end = trace_clock();
  header->time_end = trace_time();
}

RAMMER_DEVICE void trace_record(const Control* control, Word start, int launch, int instruction, int task, int iteration) {
  if (control->trace == nullptr) return;
  TraceHeader* header = trace_header(control);
  const unsigned number = header->count;
  if (number >= control->trace_capacity) return;
  header->count = number + 1;
  reinterpret_cast<TraceRecord*>(header + 1)[number] =
      TraceRecord{start, trace_clock(), 0, launch, instruction, task, iteration};
}

}  // namespace rammer

#endif
