// What `take` promises, what is kept, threads and forks.
#include "memory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "expect.h"

namespace recurra::tests {
namespace {

constexpr std::size_t MiB = std::size_t{1} << 20;

void memory_is_aligned_and_ones_own() {
    std::vector<std::pair<unsigned char*, std::size_t>> all;
    constexpr std::size_t sizes[] = {0,   1,           63,      64,          257,    4096,
                                     MiB, 2 * MiB - 1, 2 * MiB, 2 * MiB + 1, 7 * MiB};
    for (std::size_t bytes : sizes) {
        auto* const memory = static_cast<unsigned char*>(take(bytes));
        const std::size_t alignment = bytes >= 2 * MiB ? 2 * MiB : 64;
        expect(reinterpret_cast<std::uintptr_t>(memory) % alignment == 0, "64 bytes or 2 MiB of alignment");
        std::memset(memory, static_cast<int>(all.size()), bytes);
        all.emplace_back(memory, bytes);
    }
    for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t b = 0; b < all[i].second; ++b) expect(all[i].first[b] == i, "what was written");
    for (auto [memory, bytes] : all) give(memory);
    give(nullptr);
}

void blocks_are_used_again() {
    release();
    expect(kept() == 0, "nothing kept after a release");
    void* const first = take(5 * MiB);
    give(first);
    if (kept() == 0) return;  // a sanitizer's build keeps nothing
    expect(kept() >= 5 * MiB, "the block to be kept");
    void* const again = take(5 * MiB - 100);
    expect(again == first && kept() == 0, "the same block for a size like it");
    give(again);
    void* const small = take(MiB);
    expect(small != first, "another block for a much smaller size");
    give(small);
    release();
    expect(kept() == 0, "nothing kept after a release");
}

void memory_for_a_while_is_any_that_is_free() {
    release();
    void* const large = take(40 * MiB);
    give(large);
    if (kept() == 0) return;  // a sanitizer's build keeps nothing
    expect(kept() >= 40 * MiB, "the large block to be kept");
    void* const lasting = take(3 * MiB);
    expect(lasting != large, "another block for what lasts");
    void* const brief = take(3 * MiB, true);
    expect(brief == large, "the large block for a while");
    give(brief);
    give(lasting);
    void* const larger = take(80 * MiB, true);
    expect(kept() == 0, "smaller blocks to have made room");
    give(larger);
    release();
}

void what_is_kept_is_bounded() {
    give(take(100 * MiB));
    if (kept() == 0) return;  // a sanitizer's build keeps nothing
    std::vector<void*> all;
    for (int i = 0; i < 40; ++i) all.push_back(take(100 * MiB));  // never written: costs addresses only
    for (void* memory : all) {
        give(memory);
        expect(kept() <= 1024 * MiB, "at most 1 GiB kept");
    }
    release();
}

void too_much_is_refused() {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    int refused = 0;
    for (std::size_t bytes : {most, most / 2, most - 63, std::size_t{1} << 50}) try {
            give(take(bytes));
        } catch (const std::bad_alloc&) {
            ++refused;
        }
    try {
        const Scratch<double> overflowing(most / 4);
    } catch (const std::bad_alloc&) {
        ++refused;
    }
    expect(refused == 5, "bad_alloc for what no machine has");
    give(take(100));
}

void scratch_moves() {
    Scratch<float> a(10), b, none(0);
    expect(a.size() == 10 && a.data() && !b.data() && !none.data(), "as many numbers as asked for");
    a[9] = 1;
    b = std::move(a);
    const Scratch<float> c(std::move(b));
    expect(c[9] == 1 && c.size() == 10 && !a.data() && !b.data(), "the numbers to move");
}

void poisoned_memory_is_nan() {
    poison(true);
    const Scratch<float> small(100), large(MiB);
    poison(false);
    expect(std::isnan(small[0]) && std::isnan(small[99]) && std::isnan(large[MiB - 1]), "NaN");
}

// Takes, writes, hands over, checks and gives, in many sizes.
void churn(std::atomic<unsigned char*>& counter, unsigned seed) {
    for (int i = 0; i < 3000; ++i) {
        seed = seed * 1664525u + 1013904223u;
        const std::size_t bytes = 64 + (seed >> 8) % (i % 50 ? 20000 : 3 * MiB);
        auto* const memory = static_cast<unsigned char*>(take(bytes));
        std::memset(memory, i & 0xFF, 64);
        memory[bytes - 1] = 1;
        give(counter.exchange(memory, std::memory_order_acq_rel));
    }
}

void threads_take_and_give() {
    std::atomic<unsigned char*> counter{nullptr};
    std::vector<std::thread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(churn, std::ref(counter), seed);
    for (std::thread& thread : threads) thread.join();
    give(counter.load());
}

[[maybe_unused]] void a_child_forked_meanwhile_takes_and_gives() {
    std::atomic<bool> done{false};
    std::thread busy([&] {
        while (!done) give(take(4096));
    });
    for (int i = 0; i < 50; ++i) {
        const pid_t child = fork();
        expect(child >= 0, "to fork");
        if (child == 0) {
            alarm(20);  // ends a child that hangs
            give(take(4096));
            give(take(3 * MiB));
            _exit(0);
        }
        int status = 0;
        expect(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                      "the child to take and give");
    }
    done = true;
    busy.join();
}

}  // namespace
}  // namespace recurra::tests

int main() {
    using namespace recurra::tests;
    memory_is_aligned_and_ones_own();
    blocks_are_used_again();
    memory_for_a_while_is_any_that_is_free();
    what_is_kept_is_bounded();
    too_much_is_refused();
    scratch_moves();
    poisoned_memory_is_nan();
    threads_take_and_give();
#if !defined(__SANITIZE_ADDRESS__)  // its own allocator may be locked for ever in the child
    a_child_forked_meanwhile_takes_and_gives();
#endif
}
