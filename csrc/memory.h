// Memory that is used again: buffers of a training step come and go in the same sizes, step after step.
#pragma once

#include <cstddef>
#include <limits>
#include <type_traits>

namespace recurra {

// Uninitialised memory, aligned to 64 bytes; from 2 MiB up to 2 MiB, on huge pages where the system has them.
// Throws std::bad_alloc. From any thread. What is taken for a while may be a much larger block that is free, and where
// none is free it takes the place of smaller ones.
void* take(std::size_t bytes, bool for_a_while = false);

// Takes back what `take` gave, in any thread; nullptr is nothing. It is kept for the next `take`, within bounds.
void give(void* memory) noexcept;

// Bytes that are kept, and giving them back to the system.
std::size_t kept() noexcept;
void release() noexcept;

// For tests: whether `take` fills what it gives with NaN, so that a number which nobody wrote shows.
void poison(bool on) noexcept;

// `count` numbers for as long as the object lives, uninitialised. Always inlined: a copy that was compiled for the
// largest instruction set could be linked into the code for all.
template <class T>
class Scratch {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
    [[gnu::always_inline]] Scratch() {}
    [[gnu::always_inline]] explicit Scratch(std::size_t count, bool for_a_while = false) : count_(count) {
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
        if (count) data_ = static_cast<T*>(take(count > most / sizeof(T) ? most : count * sizeof(T), for_a_while));
    }
    [[gnu::always_inline]] Scratch(Scratch&& other) noexcept : data_(other.data_), count_(other.count_) {
        other.data_ = nullptr;
        other.count_ = 0;
    }
    [[gnu::always_inline]] Scratch& operator=(Scratch&& other) noexcept {
        T* const data = data_;
        const std::size_t count = count_;
        data_ = other.data_, count_ = other.count_;
        other.data_ = data, other.count_ = count;
        return *this;
    }
    [[gnu::always_inline]] ~Scratch() { give(data_); }

    [[gnu::always_inline]] T* data() const { return data_; }  // nullptr for no numbers
    [[gnu::always_inline]] std::size_t size() const { return count_; }
    [[gnu::always_inline]] T& operator[](std::size_t i) const { return data_[i]; }

 private:
    T* data_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace recurra
