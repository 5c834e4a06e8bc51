// Counters, the abort flag, the failure record, and the one place where a vEU waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

#include "tables.hpp"

namespace rammer {

constexpr std::size_t kCacheLine = 64;

struct alignas(kCacheLine) Counter {
    std::atomic<uint32_t> value{0};
};

// The counters and barriers of one launch: two banks, of which the epoch's parity selects one.
class CounterBanks {
  public:
    explicit CounterBanks(std::size_t counters) : size_(counters), counters_(new Counter[2 * counters]) {}

    Counter* bank(uint64_t epoch) { return counters_.get() + (epoch & 1) * size_; }

    void clear(uint64_t epoch) {
        Counter* const idle = bank(epoch);
        for (std::size_t i = 0; i < size_; ++i) idle[i].value.store(0, std::memory_order_relaxed);
    }

  private:
    std::size_t size_;
    std::unique_ptr<Counter[]> counters_;
};

enum class Outcome { kReady, kStopped, kTimedOut };

// What the vEUs of a run share: who still works, and whether to stop.
class Control {
  public:
    explicit Control(std::size_t veus) : progress_(new Counter[veus]), veus_(veus) {}

    void start_run(std::chrono::nanoseconds timeout) {
        timeout_ = timeout;
        stopped_.store(false, std::memory_order_relaxed);
        failed_.store(false, std::memory_order_relaxed);
        failure_ = Failure{};
    }

    void start_launch(int64_t veus) { busy_.store(veus, std::memory_order_relaxed); }
    void leave_launch() { busy_.fetch_sub(1, std::memory_order_relaxed); }

    void advance(std::size_t veu) { progress_[veu].value.fetch_add(1, std::memory_order_relaxed); }

    bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
    const Failure& failure() const { return failure_; }

    // The first failure is kept; all vEUs stop.
    void fail(const Failure& failure) {
        if (!failed_.exchange(true, std::memory_order_relaxed)) {
            failure_ = failure;
            stopped_.store(true, std::memory_order_release);
        }
    }

    // Polls until `ready()`. Times out when for that long no vEU has finished anything and none is at work.
    template <class Ready>
    Outcome wait(Ready ready) {
        for (int i = 0; i < kPauses; ++i) {
            if (ready()) return Outcome::kReady;
            pause();
        }
        busy_.fetch_sub(1, std::memory_order_relaxed);
        const Outcome outcome = wait_long(ready);
        busy_.fetch_add(1, std::memory_order_relaxed);
        return outcome;
    }

    static void pause() {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr int kPauses = 256;
    static constexpr int kYieldsPerLook = 64;

    template <class Ready>
    Outcome wait_long(Ready ready) {
        Clock::time_point deadline = Clock::now() + timeout_;
        uint64_t seen = total_progress();
        for (int yields = 1;; ++yields) {
            if (ready()) return Outcome::kReady;
            if (stopped()) return Outcome::kStopped;
            std::this_thread::yield();
            if (yields % kYieldsPerLook != 0 || Clock::now() < deadline) continue;
            const uint64_t progress = total_progress();
            if (progress == seen && busy_.load(std::memory_order_relaxed) == 0) return Outcome::kTimedOut;
            seen = progress;
            deadline = Clock::now() + timeout_;
        }
    }

    uint64_t total_progress() const {
        uint64_t total = 0;
        for (std::size_t i = 0; i < veus_; ++i) total += progress_[i].value.load(std::memory_order_relaxed);
        return total;
    }

    std::unique_ptr<Counter[]> progress_;
    std::size_t veus_;
    std::chrono::nanoseconds timeout_{0};
    std::atomic<int64_t> busy_{0};
    std::atomic<bool> stopped_{false};
    std::atomic<bool> failed_{false};
    Failure failure_{};
};

}  // namespace rammer
