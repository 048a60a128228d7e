// Memory that is used again: buffers of a training step come and go in the same sizes, step after step.
#pragma once

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace recurra {

// Uninitialised memory, aligned to 64 bytes; from 2 MiB up to 2 MiB, on huge pages where the system has them.
// Throws std::bad_alloc. From any thread.
void* take(std::size_t bytes);

// Takes back what `take` gave, in any thread, or nothing for nullptr. It is kept for the next `take`, within bounds.
void give(void* memory) noexcept;

// Bytes that are kept, and giving them back to the system.
std::size_t kept() noexcept;
void release() noexcept;

// `count` numbers for as long as the object lives, uninitialised.
template <class T>
class Scratch {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Scratch() = default;
  explicit Scratch(std::size_t count) : count_(count) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    if (count) data_ = static_cast<T*>(take(count > most / sizeof(T) ? most : count * sizeof(T)));
  }
  Scratch(Scratch&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Scratch() { give(data_); }

  T* data() const { return data_; }  // nullptr for no numbers
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace recurra
