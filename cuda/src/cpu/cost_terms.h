/* The terms that the time of one head is a sum of, with a factor each in rates.def. */
#ifndef LEET_CPU_COST_TERMS_H
#define LEET_CPU_COST_TERMS_H

#include <math.h>

namespace leet {

const int kCostTerms = 7;

/* In the order of rates.def: once per head, once per state element, per token, per element of a token, per token and
 * state element, the square of vanilla, the levels of recursion. */
inline void cost_terms(double N, double dk, double dv, double terms[kCostTerms]) {
  terms[0] = 1;
  terms[1] = dk * dv;
  terms[2] = N;
  terms[3] = N * (dk + dv);
  terms[4] = N * dk * dv;
  terms[5] = N * N * (dk + dv);
  terms[6] = N * log2(N + 1) * dk * dv;
}

}  // namespace leet
#endif
