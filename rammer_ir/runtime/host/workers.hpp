// The threads of a loaded program, one a vEU: created once, parked between launches.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "control.hpp"

namespace rammer {

// The thread that calls run() is worker 0; worker i > 0 is a thread of its own.
class Workers {
  public:
    using Work = void (*)(void* context, std::size_t worker);

    explicit Workers(std::size_t count) {
        try {
            for (std::size_t worker = 1; worker < count; ++worker) {
                threads_.emplace_back([this, worker] { serve(worker); });
            }
        } catch (...) {
            stop();
            throw;
        }
    }

    ~Workers() { stop(); }

    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // Calls `work` once on every worker and returns when all have returned.
    void run(Work work, void* context) {
        work_ = work;
        context_ = context;
        unfinished_.store(threads_.size(), std::memory_order_relaxed);
        next_generation();
        work(context, 0);
        park(finished_, [this] { return unfinished_.load(std::memory_order_acquire) == 0; });
    }

  private:
    // Long enough to bridge two launches of one run, short enough not to be felt between runs.
    static constexpr std::chrono::microseconds kSpin{50};

    void serve(std::size_t worker) {
        for (uint64_t seen = 0;; ++seen) {
            park(started_, [this, seen] { return generation_.load(std::memory_order_acquire) != seen; });
            if (stopping_.load(std::memory_order_relaxed)) return;
            work_(context_, worker);
            if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
                { const std::lock_guard<std::mutex> lock(mutex_); }
                finished_.notify_one();
            }
        }
    }

    void next_generation() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            generation_.fetch_add(1, std::memory_order_release);
        }
        started_.notify_all();
    }

    template <class Ready>
    void park(std::condition_variable& condition, Ready ready) {
        const auto end = std::chrono::steady_clock::now() + kSpin;
        do {
            for (int i = 0; i < 32; ++i) {
                if (ready()) return;
                Control::pause();
            }
            std::this_thread::yield();
        } while (std::chrono::steady_clock::now() < end);
        std::unique_lock<std::mutex> lock(mutex_);
        condition.wait(lock, ready);
    }

    void stop() {
        stopping_.store(true, std::memory_order_relaxed);
        next_generation();
        for (std::thread& thread : threads_) thread.join();
    }

    std::mutex mutex_;
    std::condition_variable started_;
    std::condition_variable finished_;
    std::atomic<uint64_t> generation_{0};
    std::atomic<std::size_t> unfinished_{0};
    std::atomic<bool> stopping_{false};
    Work work_ = nullptr;
    void* context_ = nullptr;
    std::vector<std::thread> threads_;
};

}  // namespace rammer
