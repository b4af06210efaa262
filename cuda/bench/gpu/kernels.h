/* The kernels of the measurements, as PTX that every driver from CUDA 11.0 on compiles for every GPU from sm_80 on. */
#ifndef GPU_CHECK_KERNELS_H
#define GPU_CHECK_KERNELS_H

#include <string>

namespace gpu_check {

/* Elements of one operand tile of an mma, by input type. */
struct MmaForm {
  const char *name;   /* bf16, f16, tf32 */
  const char *shape;  /* of the instruction */
  int k;              /* products summed per result; 2 * 16 * 8 * k operations per warp */
  unsigned keep, set; /* an operand register is hash & keep | set: numbers of size 0.5 to 1, either sign */
};
extern const MmaForm kMmaForms[3];

/* Independent accumulators of a warp, and instructions in a turn of the loop. */
const int kMmaChains = 8;
const int kFmaChains = 16;
const int kUnroll = 4;

/* empty(): nothing.
 * read(from, to, rounds), copy(from, to, rounds): every thread moves 4 * rounds pieces of 16 bytes, neighbours side by
 *   side; read keeps none of it.
 * fill(to, count, type, seed, low, range): count elements of float32, float16 or bfloat16 (0, 1, 2), evenly spread in
 *   [low, low + range), a function of index and seed.
 * digest(words, count, to, narrow): adds to to[0] a sum over all words that depends on where each one stands, and to
 *   to[1] how many are all ones; narrow: or have a half that is. */
std::string memory_ptx();

/* mma(to, rounds): rounds * kUnroll * kMmaChains instructions in every warp. */
std::string mma_ptx(const MmaForm &form);

/* fma(to, rounds): rounds * kUnroll * kFmaChains float32 multiply-adds in every thread. */
std::string fma_ptx();

}  // namespace gpu_check
#endif
