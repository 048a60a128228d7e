// A layer's backward pass: each block of rows back through time, in memory that is laid out once.
#pragma once

#include "bptt.h"

namespace recurra::RECURRA_ISA {

// A block's passes, laid out in one piece of memory.
template <class Cell, class V>
struct Pass {
    using Real = typename V::real;
    using Record = Records<V, Cell::saved>;
    const Problem<Real>& p;
    Backward<Cell, V> back;
    const bool checkpointed = p.memory == Memory::checkpointed;
    Arena<Real> none{nullptr};
    Forward<Cell, V> layer;  // a stretch of time that is run again, where no more than states were kept
    Real* segment;

    Pass(const Gates<Cell, V>& gates, const WeightGradients<Cell, V>& weights, Arena<Real>& arena, int64_t block,
         Crew crew)
        : p(gates.p), back(gates, weights, arena, block, crew),
          layer(gates, checkpointed ? arena : none, back.ranks, crew),
          segment(arena.take(checkpointed ? segment_steps(p) * back.rows * gates.UB * V::lanes * Cell::saved : 0)) {}

    // segment_y takes the output of the stretch at hand, (time, B, R).
    void run(Real* segment_y) const {
        const int64_t steps = p.rows.steps, first = back.ranks.begin, unit = back.UB * V::lanes * Cell::saved;
        int64_t turn = 0;
        back.load_gradients();
        if (!checkpointed) {
            Sequence<const Real> y{p.y.data, p.y.step, p.y.row};
            auto kept = [&](int64_t s) { return records_at<Cell, V, Cell::saved>(back, p.saved, s, first); };
            back.crew.meet();
            back.run(0, steps, p.h0, y, kept, turn);
        } else {
            const int64_t length = segment_steps(p);
            for (int64_t begin = (steps - 1) / length * length; begin >= 0 && steps > 0; begin -= length) {
                const int64_t end = begin + length < steps ? begin + length : steps;
                const Real* h0 = p.saved + begin / length * state_values<Cell>(p);
                const int64_t origin = p.reverse ? back.time(end - 1) : begin;
                Sequence<Real> to{segment_y, p.B * p.R, p.R, origin};
                auto kept = [&](int64_t s) { return Record{segment + (s - begin) * back.rows * unit, back.rows}; };
                layer.load_state(h0, h0 + p.B * p.R, begin);
                layer.run(begin, end, to, kept, [](int64_t) { return Records<V, 1>{}; });
                back.run(begin, end, h0, {to.data, to.step, to.row, to.first}, kept, turn);
            }
        }
        if (turn == 0) back.zero_sums();
        back.store_gradients();
    }
};

template <class Cell, class V>
int64_t pass_values(const Gates<Cell, V>& gates, const WeightGradients<Cell, V>& weights, bool all) {
    Arena<typename V::real> counting(nullptr);
    Pass<Cell, V> pass(gates, weights, counting, 0, Crew{nullptr, all});
    return counting.used();
}

// What a backward pass lays out: what its threads share, then the memory of each.
template <class Cell, class V>
struct Layout {
    using Real = typename V::real;
    Arena<Real> shared;
    const Gates<Cell, V> gates;
    const WeightGradients<Cell, V> weights;
    Real* const segment_y;

    Layout(const Problem<Real>& p, Real* scratch, int threads)
        : shared(scratch), gates(p, shared, p.memory != Memory::stored), weights(p, shared, threads),
          segment_y(shared.take(p.memory == Memory::checkpointed ? segment_steps(p) * p.B * p.R : 0)) {}

    int64_t values() const {
        int64_t pass = pass_values(gates, weights, weights.all);
        return shared.used() + (weights.all ? pass : pass * weights.threads);
    }
};

template <class Cell, class V>
void backward(const Problem<typename V::real>& p, typename V::real* scratch, Team& team) {
    using Real = typename V::real;
    const Layout<Cell, V> layout(p, scratch, team.size());
    layout.gates.pack(team.rank(), team.size());
    layout.weights.pack(team.rank(), team.size());
    team.barrier();
    typename WeightGradients<Cell, V>::Turns turns;
    each_block<Cell, V>(p, scratch + layout.shared.used(), pass_values(layout.gates, layout.weights, false), team,
                        [&](int64_t block, Crew crew, Real* memory) {
                            Arena<Real> arena(memory);
                            Pass<Cell, V>(layout.gates, layout.weights, arena, block, crew).run(layout.segment_y);
                            layout.weights.finish(block, team, turns);
                        });
    layout.weights.finish_all(team, turns);
    if (p.dx && !p.dx_accumulates) zero_beyond<V>(p, p.dx, p.I, team);
}

template <class Cell, class V>
int64_t backward_scratch(const Problem<typename V::real>& p, int threads) {
    int64_t most = 0;
    for (int n = 1; n <= threads; ++n) {  // a team may turn out smaller than asked for
        int64_t values = Layout<Cell, V>(p, nullptr, n).values();
        most = values > most ? values : most;
    }
    return most;
}

}  // namespace recurra::RECURRA_ISA
