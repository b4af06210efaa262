/* gcc example.c -lleet: a head of four tokens whose memory halves at each step. Prints 1 1.5 1.75 1.875 */
#include <leet.h>
#include <stdio.h>

int main(void) {
  leet_params p = {.struct_size = sizeof p,
                   .decay_form = LEET_DECAY_FACTOR,
                   .scale = 1,
                   .B = 1,
                   .H = 1,
                   .Hkv = 1,
                   .N = 4,
                   .dk = 1,
                   .dv = 1};
  const float q[4] = {1, 1, 1, 1}, k[4] = {1, 1, 1, 1}, v[4] = {1, 1, 1, 1}, decay[1] = {0.5f};
  float o[4];
  if (leet_forward(&p, q, k, v, decay, NULL, NULL, o, NULL) != LEET_OK) return puts(p.message), 1;
  printf("%g %g %g %g\n", o[0], o[1], o[2], o[3]);
  return 0;
}
