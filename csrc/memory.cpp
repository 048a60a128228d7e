#include "memory.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#if __has_include(<sys/mman.h>)
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#define RECURRA_MAPS 1
#endif

namespace recurra {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

constexpr std::size_t line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
// Beyond this the work of a step is long beside the time that fresh pages cost.
constexpr std::size_t most_kept = std::size_t{1} << 30;
constexpr std::size_t largest = std::size_t{1} << 48;
constexpr int nan_byte = 0xFF;  // in every byte: NaN in every precision

std::atomic<bool> poisoned{false};

// What lies in the line before each block that `take` gives. Free blocks hang in two lists.
struct alignas(line) Block {
    std::size_t capacity;
    std::size_t kind;  // of its size
    Block *next, *previous;  // of its kind, the newest first
    Block *newer, *older;    // of all

    void* memory() { return this + 1; }
};

Block* block_of(void* memory) { return static_cast<Block*>(memory) - 1; }

// Sizes come in four kinds per doubling, so that ragged batches find one another's blocks.
struct Size {
    std::size_t capacity, kind;

    explicit Size(std::size_t bytes) {
        constexpr std::size_t smallest = 4 * line;
        const std::size_t above = std::max(bytes, smallest) - 1;
        const std::size_t doubling = std::bit_width(above) - 1, step = std::size_t{1} << (doubling - 2);
        const std::size_t steps = above / step + 1;
        capacity = steps * step;
        kind = 4 * doubling + steps - 5;
    }
};
constexpr std::size_t kinds = 4 * 49;
constexpr std::size_t reach = 2;  // kinds above its own in which a request is content with a free block

#ifdef RECURRA_MAPS
std::size_t page() {
    static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}
#endif

// From 2 MiB up the block's line ends the page before the memory, which begins with a huge page.
Block* from_system(Size size) {
    void* memory = nullptr;
#ifdef RECURRA_MAPS
    if (size.capacity >= huge_page) {
        const std::size_t asked = page() + size.capacity + huge_page;
        void* const mapped =
                mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) throw std::bad_alloc();
        char* const begin = static_cast<char*>(mapped);
        const auto first = reinterpret_cast<std::uintptr_t>(begin) + page();
        char* const aligned = begin + page() + (huge_page - first % huge_page) % huge_page;
        char* const end = aligned + size.capacity;
        if (aligned - page() > begin) munmap(begin, static_cast<std::size_t>(aligned - page() - begin));
        if (end < begin + asked) munmap(end, static_cast<std::size_t>(begin + asked - end));
#ifdef MADV_HUGEPAGE
        madvise(aligned, size.capacity, MADV_HUGEPAGE);
#endif
        memory = aligned;
    }
#endif
    if (!memory) {
        const std::size_t alignment = size.capacity >= huge_page ? huge_page : line;
        void* const begin = ::operator new(alignment + size.capacity, std::align_val_t{alignment});
        memory = static_cast<char*>(begin) + alignment;
    }
    Block* const block = block_of(memory);
    block->capacity = size.capacity;
    block->kind = size.kind;
    return block;
}

void to_system(Block* block) {
    char* const memory = static_cast<char*>(block->memory());
    const std::size_t capacity = block->capacity;
#ifdef RECURRA_MAPS
    if (capacity >= huge_page) {
        munmap(memory - page(), page() + capacity);
        return;
    }
#endif
    const std::size_t alignment = capacity >= huge_page ? huge_page : line;
    ::operator delete(memory - alignment, std::align_val_t{alignment});
}

// Nothing is used again, and nothing lies around the memory, so that the sanitizer sees every wrong access.
void* from_sanitizer(std::size_t bytes) {
    void* memory = nullptr;
    const std::size_t alignment = bytes >= huge_page ? huge_page : line;
    if (posix_memalign(&memory, alignment, std::max<std::size_t>(bytes, 1))) throw std::bad_alloc();
    return std::memset(memory, nan_byte, bytes);
}

// The free blocks.
class Store {
 public:
    // Never destroyed: tensors may give memory back while the process ends.
    static Store& get() {
        static Store& store = *new Store;
        return store;
    }

    Block* find(std::size_t kind, bool for_a_while) {
        const std::lock_guard lock(mutex_);
        const std::size_t end = for_a_while ? kinds : std::min(kind + reach + 1, kinds);
        for (std::size_t k = kind; k < end; ++k)
            if (Block* const block = free_[k]) {
                unhook(block);
                return block;
            }
        return nullptr;
    }

    // Keeps the block and lets the oldest go to the system until all fit.
    void keep(Block* block) {
        Block* let_go = nullptr;
        {
            const std::lock_guard lock(mutex_);
            hook(block);
            while (kept_ > most_) let_go = unhook_onto(let_go);
        }
        all_to_system(let_go);
    }

    // Lets smaller blocks go, the oldest first, until they make up for a new one.
    void make_room(std::size_t capacity) {
        Block* let_go = nullptr;
        {
            const std::lock_guard lock(mutex_);
            std::size_t room = 0;
            for (Block *block = oldest_, *next; block && room < capacity; block = next) {
                next = block->newer;
                if (block->capacity < huge_page || block->capacity >= capacity) continue;
                room += block->capacity;
                unhook(block);
                block->next = let_go;
                let_go = block;
            }
        }
        all_to_system(let_go);
    }

    std::size_t kept() {
        const std::lock_guard lock(mutex_);
        return kept_;
    }

    void release() {
        Block* let_go = nullptr;
        {
            const std::lock_guard lock(mutex_);
            while (oldest_) let_go = unhook_onto(let_go);
        }
        all_to_system(let_go);
    }

 private:
    Store() {
#ifdef RECURRA_MAPS
        const auto physical = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * page();
        most_ = std::min(most_, physical / 8);
        // A child that is forked while another thread is in here would find the mutex locked for ever.
        const auto unlock = [] { get().mutex_.unlock(); };
        pthread_atfork([] { get().mutex_.lock(); }, unlock, unlock);
#endif
    }

    void hook(Block* block) {
        block->previous = nullptr;
        block->next = free_[block->kind];
        if (block->next) block->next->previous = block;
        free_[block->kind] = block;
        block->newer = nullptr;
        block->older = newest_;
        (newest_ ? newest_->newer : oldest_) = block;
        newest_ = block;
        kept_ += block->capacity;
    }

    void unhook(Block* block) {
        (block->previous ? block->previous->next : free_[block->kind]) = block->next;
        if (block->next) block->next->previous = block->previous;
        (block->newer ? block->newer->older : newest_) = block->older;
        (block->older ? block->older->newer : oldest_) = block->newer;
        kept_ -= block->capacity;
    }

    Block* unhook_onto(Block* others) {
        Block* const block = oldest_;
        unhook(block);
        block->next = others;
        return block;
    }

    static void all_to_system(Block* block) {
        while (block) {
            Block* const next = block->next;
            to_system(block);
            block = next;
        }
    }

    std::mutex mutex_;
    Block* free_[kinds] = {};
    Block *newest_ = nullptr, *oldest_ = nullptr;
    std::size_t kept_ = 0, most_ = most_kept;
};

}  // namespace

void* take(std::size_t bytes, bool for_a_while) {
    if (bytes > largest) throw std::bad_alloc();
    if (sanitized) return from_sanitizer(bytes);
    const Size size(bytes);
    Block* block = Store::get().find(size.kind, for_a_while);
    if (!block) {
        if (for_a_while && size.capacity >= huge_page) Store::get().make_room(size.capacity);
        block = from_system(size);
    }
    if (poisoned.load(std::memory_order_relaxed)) std::memset(block->memory(), nan_byte, bytes);
    return block->memory();
}

void give(void* memory) noexcept {
    if (sanitized) return std::free(memory);
    if (memory) Store::get().keep(block_of(memory));
}

std::size_t kept() noexcept { return Store::get().kept(); }

void release() noexcept { Store::get().release(); }

void poison(bool on) noexcept { poisoned.store(on, std::memory_order_relaxed); }

}  // namespace recurra
