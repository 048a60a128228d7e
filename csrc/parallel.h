// Several threads at one piece of work: one fork and join per call, barriers inside.
#pragma once

#include <cstdint>
#include <type_traits>

namespace recurra {

namespace detail {
struct Meeting;  // where a team's threads wait for one another
}

// One thread's place in a team.
class Team {
 public:
    Team(int rank, int size, detail::Meeting& meeting);
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    [[gnu::always_inline]] int rank() const { return rank_; }  // 0 … size() - 1
    // Never more than were asked for; fewer where threads are short.
    [[gnu::always_inline]] int size() const { return size_; }

    // Waits until every thread of the team has come. What they wrote before it is seen after it.
    void barrier();

    // Turns 0, 1, 2 … at each of some places: whether this one has come, waiting for it, and ending it. What was
    // written before a turn's end is seen in the next.
    static constexpr int places = 16;
    bool has_come(int place, int64_t turn) const;
    void await(int place, int64_t turn) const;
    void end(int place, int64_t turn);

 private:
    const int rank_;
    const int size_;
    detail::Meeting& meeting_;
};

// Runs body(context, team) on up to `threads` threads at once, the caller among them; returns when all have ended.
// Each caller has its own team; inside a team, and in a process that was forked, a team has one thread. The
// caller's rounding and flushing of denormals hold for all. No exception may leave body.
void parallel(int threads, void (*body)(void* context, Team& team), void* context);

// The same for anything that can be called as body(team).
template <class Body>
void parallel(int threads, Body&& body) {
    using Called = std::remove_reference_t<Body>;
    parallel(
            threads, [](void* context, Team& team) { (*static_cast<Called*>(context))(team); },
            const_cast<std::remove_const_t<Called>*>(&body));
}

}  // namespace recurra
