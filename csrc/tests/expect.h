// What the tests of the core share.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace recurra::tests {

// Ends the test where something is not as it should be.
inline void expect(bool holds, const char* what, std::source_location at = std::source_location::current()) {
    if (holds) return;
    std::fprintf(stderr, "%s:%u: expected %s\n", at.file_name(), static_cast<unsigned>(at.line()), what);
    std::abort();
}

}  // namespace recurra::tests
