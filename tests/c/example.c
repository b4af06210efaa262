/* The README's program: a head of three tokens whose memory halves at each step. Prints 1 9 33.75 */
#include <leet.h>
#include <stdio.h>

int main(void) {
  const float x[3] = {1, 2, 3}, decay[1] = {0.5f};
  float o[3];
  leet_params p = {.struct_size = sizeof p, .scale = 1, .B = 1, .H = 1, .Hkv = 1, .N = 3, .dk = 1, .dv = 1};
  p.decay_form = LEET_DECAY_FACTOR;
  if (leet_forward(&p, x, x, x, decay, NULL, NULL, o, NULL) != LEET_OK) return puts(p.message), 1;
  printf("%g %g %g\n", o[0], o[1], o[2]);
}
