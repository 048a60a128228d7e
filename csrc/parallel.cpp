#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#endif
#if __has_include(<pthread.h>)
#include <pthread.h>
#endif

namespace recurra {

namespace {

// Waiting is short where every thread has a processor of its own. Where it has not, the thread that is waited for may
// need this one: then it yields.
constexpr int most_spins = 2000;
constexpr int most_threads = 256;  // of our own

void breathe() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

template <class Done>
void spin_until(Done done) {
    for (int spins = 0; !done(); ++spins) {
        if (spins < most_spins)
            breathe();
        else
            std::this_thread::yield();
    }
}

// Threads do not survive a fork, and OpenMP would wait for them.
std::atomic<bool> forked{false};
#if __has_include(<pthread.h>)
[[maybe_unused]] const int told_of_forks =
        pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });
#endif

}  // namespace

struct detail::Meeting {
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<unsigned> meetings{0};  // that have ended
    alignas(64) std::atomic<int64_t> turns[Team::places] = {};
};

Team::Team(int rank, int size, detail::Meeting& meeting) : rank_(rank), size_(size), meeting_(meeting) {}

void Team::barrier() {
    if (size_ == 1) return;
    // No meeting ends before this thread has come to it.
    const unsigned before = meeting_.meetings.load(std::memory_order_relaxed);
    if (meeting_.arrived.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
        meeting_.arrived.store(0, std::memory_order_relaxed);
        meeting_.meetings.store(before + 1, std::memory_order_release);
    } else {
        spin_until([&] { return meeting_.meetings.load(std::memory_order_acquire) != before; });
    }
}

bool Team::has_come(int place, int64_t turn) const {
    return meeting_.turns[place].load(std::memory_order_acquire) == turn;
}

void Team::await(int place, int64_t turn) const {
    spin_until([&] { return has_come(place, turn); });
}

void Team::end(int place, int64_t turn) { meeting_.turns[place].store(turn + 1, std::memory_order_release); }

namespace {

// What a team works at.
struct Work {
    void (*body)(void*, Team&);
    void* context;
    std::fenv_t rules;  // of the caller: rounding, and whether denormals count
    detail::Meeting meeting;

    void as(int rank, int size) {
        Team team(rank, size, meeting);
        if (rank == 0) return body(context, team);
        std::fenv_t own;
        std::fegetenv(&own);
        std::fesetenv(&rules);
        body(context, team);
        std::fesetenv(&own);
    }
};

// The OpenMP that PyTorch runs on. A second one would fight it for the processors with spinning threads.
struct OpenMP {
    void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags) = nullptr;
    int (*thread)() = nullptr;
    int (*threads)() = nullptr;

    static const OpenMP& get() {
        static const OpenMP found = find();
        return found;
    }

    void run(int asked, Work& work) const {
        const auto member = [](void* context) {
            const OpenMP& openmp = get();
            static_cast<Work*>(context)->as(openmp.thread(), openmp.threads());
        };
        parallel(member, &work, static_cast<unsigned>(asked), 0);
    }

 private:
#if defined(__linux__)
    static OpenMP find() {
        // Where PyTorch's own calls lead: what is there for all, then what it brought along.
        OpenMP openmp = in(RTLD_DEFAULT);
        for (const char* name : {"libtorch_cpu", "libgomp"})
            if (!openmp.parallel) openmp = in_loaded(name);
        return openmp;
    }

    static OpenMP in(void* library) {
        OpenMP openmp;
        openmp.parallel = reinterpret_cast<decltype(openmp.parallel)>(dlsym(library, "GOMP_parallel"));
        openmp.thread = reinterpret_cast<decltype(openmp.thread)>(dlsym(library, "omp_get_thread_num"));
        openmp.threads = reinterpret_cast<decltype(openmp.threads)>(dlsym(library, "omp_get_num_threads"));
        return openmp.parallel && openmp.thread && openmp.threads ? openmp : OpenMP{};
    }

    static OpenMP in_loaded(const char* name) {
        struct Search {
            const char* name;
            std::string path;
        } search{name, {}};
        const auto look = [](dl_phdr_info* info, std::size_t, void* context) {
            auto& search = *static_cast<Search*>(context);
            const char* const slash = std::strrchr(info->dlpi_name, '/');
            const char* const base = slash ? slash + 1 : info->dlpi_name;
            if (std::strncmp(base, search.name, std::strlen(search.name)) != 0) return 0;
            search.path = info->dlpi_name;
            return 1;
        };
        dl_iterate_phdr(look, &search);
        if (search.path.empty()) return {};
        // Loaded already: this opens nothing new. It stays open, as the functions are kept.
        void* const library = dlopen(search.path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
        return library ? in(library) : OpenMP{};
    }
#else
    static OpenMP find() { return {}; }
#endif
};

// Threads of our own, where there is no OpenMP. They sleep between calls.
class Pool {
 public:
    // Never destroyed, as its threads never end.
    static Pool& get() {
        static Pool& pool = *new Pool;
        return pool;
    }

    // One caller at a time has the threads; for another one, and for one of the threads, this is false.
    bool run(int asked, Work& work) {
        if (taken_.test_and_set(std::memory_order_acquire)) return false;
        const int size = grow(asked - 1) + 1;
        std::atomic<int> running{size - 1};
        for (int rank = 1; rank < size; ++rank) workers_[rank - 1]->post({&work, &running, rank, size});
        work.as(0, size);
        spin_until([&] { return running.load(std::memory_order_acquire) == 0; });
        taken_.clear(std::memory_order_release);
        return true;
    }

 private:
    struct Part {
        Work* work = nullptr;
        std::atomic<int>* running = nullptr;
        int rank = 0, size = 0;
    };

    class Worker {
     public:
        void post(const Part& part) {
            {
                const std::lock_guard lock(mutex_);
                part_ = part;
                posted_.store(true, std::memory_order_relaxed);
            }
            called_.notify_one();
        }

        void live() {
            for (;;) {
                const Part part = wait();
                part.work->as(part.rank, part.size);
                part.running->fetch_sub(1, std::memory_order_release);
            }
        }

     private:
        Part wait() {
            const auto posted = [&] { return posted_.load(std::memory_order_relaxed); };
            for (int spins = 0; spins < most_spins && !posted(); ++spins) breathe();
            std::unique_lock lock(mutex_);
            called_.wait(lock, posted);
            posted_.store(false, std::memory_order_relaxed);
            return part_;
        }

        std::mutex mutex_;
        std::condition_variable called_;
        std::atomic<bool> posted_{false};
        Part part_;
    };

    // As many threads as there are, at most `wanted`.
    int grow(int wanted) {
        wanted = std::min(wanted, most_threads);
        try {
            while (static_cast<int>(workers_.size()) < wanted) {
                auto worker = std::make_unique<Worker>();
                workers_.reserve(workers_.size() + 1);
                std::thread(&Worker::live, worker.get()).detach();
                workers_.push_back(std::move(worker));
            }
        } catch (const std::exception&) {
            // The system has no more threads, or no more memory: a smaller team does the same work.
            wanted = static_cast<int>(workers_.size());
        }
        return wanted;
    }

    std::atomic_flag taken_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

void parallel(int threads, void (*body)(void* context, Team& team), void* context) {
    if (threads > 1 && !forked.load(std::memory_order_relaxed)) {
        Work work{body, context, {}, {}};
        std::fegetenv(&work.rules);
        if (OpenMP::get().parallel) return OpenMP::get().run(threads, work);
        if (Pool::get().run(threads, work)) return;
    }
    detail::Meeting alone;
    Team team(0, 1, alone);
    body(context, team);
}

}  // namespace recurra
