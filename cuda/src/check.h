/* Argument checks of the C boundary. Every one writes a sentence to params->message when it refuses. */
#ifndef LEET_CHECK_H
#define LEET_CHECK_H

#include <stddef.h>

#include "problem.h"

namespace leet {

/* Whether the caller's struct reaches to the end of the field: what was compiled with an earlier header has less. */
#define LEET_HAS(p, field) ((p)->struct_size >= offsetof(leet_params, field) + sizeof((p)->field))

/* Writes a formatted reason to p->message and returns `status`. */
leet_status refuse(leet_params *p, leet_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes what runs the problem to the fields that the caller has. */
void report_used(leet_params *p, int method, int device, int index);

/* Everything that can be told without the arrays; fills *problem but for its pointers. */
leet_status check_params(leet_params *p, Problem *problem);

/* The arrays: presence, alignment, lengths, decay values, cu_seqlens, aliasing; fills the pointers of *problem. */
leet_status check_arrays(leet_params *p, Problem *problem, const void *q, const void *k, const void *v,
                         const float *decay, const int64_t *cu_seqlens, const float *initial_state, void *o,
                         float *final_state);

}  // namespace leet
#endif
