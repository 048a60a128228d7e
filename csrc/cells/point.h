// One vector of units of one row: what a cell's equations read and write.
#pragma once

namespace recurra::RECURRA_ISA {

template <class V>
struct Point {
    V gate[4];      // sums over x and h, biases included, in the order of torch.nn's gates
    V input;        // the sum over x alone, of a gate whose sum over h stands by itself
    V h, c;         // forward: the state before, then after; backward: the state before
    V operand;      // what a second product runs along
    V peephole[3];  // p_i, p_f, p_o
    V saved[5];     // what the backward pass needs again
    V dh, dc;       // gradients of the state after, then of the state before, without what goes through products
    V dgate[4];     // gradients of the sums
};

}  // namespace recurra::RECURRA_ISA
