// Teams, barriers, callers at once, and forks. ThreadSanitizer sees in the plain arrays whether a barrier is one.
#include "parallel.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <thread>
#include <vector>

#include "expect.h"

namespace recurra::tests {
namespace {

constexpr int most_ranks = 8;

void everyone_has_a_place() {
    for (int threads : {-1, 0, 1, 2, 3, 4, most_ranks}) {
        int seen[most_ranks] = {};
        int size = 0;
        parallel(threads, [&](Team& team) {
            seen[team.rank()] += 1;
            if (team.rank() == 0) size = team.size();
        });
        expect(size >= 1 && size <= std::max(threads, 1), "a team of at most as many threads as asked for");
        for (int rank = 0; rank < most_ranks; ++rank) expect(seen[rank] == (rank < size), "each rank once");
    }
}

void barriers_order_what_is_written() {
    for (int threads : {1, 2, 4}) {
        long slots[2][most_ranks] = {};
        parallel(threads, [&](Team& team) {
            const int right = (team.rank() + 1) % team.size();
            for (long round = 1; round <= 2000; ++round) {
                long* const now = slots[round % 2];
                now[team.rank()] = round;
                team.barrier();
                expect(now[right] == round, "the neighbour's number of this round");
            }
        });
    }
}

long sum_by(int threads) {
    long parts[most_ranks] = {};
    parallel(threads, [&](Team& team) {
        for (int i = team.rank(); i < 1000; i += team.size()) parts[team.rank()] += i;
        team.barrier();
        if (team.rank() == 0)
            for (int rank = 1; rank < team.size(); ++rank) parts[0] += parts[rank];
    });
    return parts[0];
}
constexpr long right_sum = 999 * 1000 / 2;

void turns_follow_one_another() {
    constexpr int rounds = 50;
    for (int threads : {1, 2, 3, 4}) {
        long last[Team::places] = {};
        bool in_order = true;
        parallel(threads, [&](Team& team) {
            for (long turn = team.rank(); turn < rounds; turn += team.size())
                for (int place = 0; place < Team::places; ++place) {
                    team.await(place, turn);
                    if (!team.has_come(place, turn) || last[place]++ != turn) in_order = false;
                    team.end(place, turn);
                }
        });
        expect(in_order, "each turn once the one before has ended");
        for (long turns : last) expect(turns == rounds, "every turn at every place");
    }
}

void teams_inside_teams() {
    parallel(4, [&](Team& team) {
        expect(sum_by(4) == right_sum, "the sum, from inside a team");
        team.barrier();
    });
}

void callers_at_once() {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([caller] {
            for (int i = 0; i < 300; ++i)
                expect(sum_by(1 + (i + caller) % 4) == right_sum, "the sum, beside other callers");
        });
    for (std::thread& caller : callers) caller.join();
}

void the_callers_rounding_holds() {
    std::fesetround(FE_UPWARD);
    std::atomic<int> upward{0}, size{0};
    parallel(4, [&](Team& team) {
        size = team.size();
        upward += std::fegetround() == FE_UPWARD;
    });
    std::fesetround(FE_TONEAREST);
    expect(upward == size, "the caller's rounding in every thread");
    std::atomic<int> nearest{0};
    parallel(4, [&](Team&) { nearest += std::fegetround() == FE_TONEAREST; });
    expect(nearest == size, "a thread's own rounding again afterwards");
}

void anything_callable() {
    int calls = 0;
    const auto constant = [&](Team&) { ++calls; };
    auto counting = [&, own = 0](Team&) mutable { calls += ++own; };
    parallel(1, constant);
    parallel(1, counting);
    parallel(1, counting);
    expect(calls == 1 + 1 + 2, "each call to reach the object itself");
}

void a_forked_child_is_alone_and_goes_on() {
    const pid_t child = fork();
    expect(child >= 0, "to fork");
    if (child == 0) {
        alarm(20);  // ends a child that hangs
        int size = 0;
        parallel(4, [&](Team& team) { size = team.size(); });
        _exit(size == 1 && sum_by(4) == right_sum ? 0 : 1);
    }
    int status = 0;
    expect(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the child to run a team of one");
    expect(sum_by(4) == right_sum, "the parent's team to go on");
}

}  // namespace
}  // namespace recurra::tests

int main() {
    using namespace recurra::tests;
    everyone_has_a_place();
    barriers_order_what_is_written();
    turns_follow_one_another();
    teams_inside_teams();
    callers_at_once();
    the_callers_rounding_holds();
    anything_callable();
    a_forked_child_is_alone_and_goes_on();
    everyone_has_a_place();
}
