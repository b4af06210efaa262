/* What a launch passes to every kernel, by value. Shared by the host code and the device code. */
#ifndef LEET_KERNELS_ARGS_H
#define LEET_KERNELS_ARGS_H

#include <stdint.h>

namespace leet {
namespace gpu {

/* Elements between neighbours along batch, head and time. */
struct Step {
  int64_t batch, head, time;
};

/* Tokens per chunk of every kernel but flash, whose chunk is in kernels.def. */
const int kChunk = 64;

struct Args {
  const void *q, *k, *v; /* [B,H,N,dk], [B,Hkv,N,dk], [B,Hkv,N,dv] by their steps */
  void *o;               /* [B,H,N,dv] */
  const float *decay;    /* [H], or [B,H,N] by gate_step */
  const int64_t *cu;     /* [S+1] or nullptr: sequence s is batch row s */
  const float *state_in; /* [S,H,dk,dv] or nullptr */
  float *state_out;      /* [S,H,dk,dv] or nullptr */
  Step q_step, k_step, v_step, o_step, gate_step;
  int64_t N;
  int64_t longest; /* tokens of the longest sequence */
  int H, Hkv, dk, dv;
  int decay_form; /* LEET_DECAY_* */
  float scale;

  /* Workspace, where the method needs it. A chunk slot belongs to one chunk of one head: see Head::slot. */
  int64_t chunks;   /* chunks of the longest sequence: what grids count */
  int64_t slots;    /* chunk slots per query head over all sequences */
  float *states;    /* [H][slots][dk][dv]; flash: [sequences][H][segments][dk][dv] */
  float *totals;    /* [H][slots][2]: decay of a chunk (flash: segment) as the sum of two floats */
  float *reach;     /* as totals, recursion: decay of the chunks merged into a slot so far */
  float *outputs;   /* [parts][H][tokens][dv]: unscaled sums */
  int64_t tokens;   /* of one head over all sequences: B*N */
  int64_t span;     /* recursion: chunks per half */
  int64_t segments; /* flash: per head */
  int aligned;      /* flash: rows of q, k and v start on 16-byte addresses */
};

}  // namespace gpu
}  // namespace leet
#endif
