/* Every CUDA kernel through leet_forward against the float64 recurrence, under every schedule that the emulated driver
 * has. `kernels_test NAME` runs the methods whose name contains NAME. */
#include "cases.h"

namespace {

void check_case(const Emulator &emulator, const Case &x) {
  Prepared run;
  prepare(x, &run);
  unsigned char *first = nullptr; /* o under the first schedule */
  const Array &o = run.call.array[OUT];
  for (const char *schedule : kSchedule) {
    if (!emulated(&emulator) && schedule != kSchedule[0]) break;
    name_test(x, schedule);
    emulator_set(&emulator, "SCHEDULE", schedule);
    run_case(&run);
    if (schedule == kSchedule[0]) {
      first = (unsigned char *)malloc(o.bytes + 1);
      if (first == nullptr) exit(1);
      memcpy(first, o.data, o.bytes);
    } else {
      expect(memcmp(first, o.data, o.bytes) == 0, "o differs between schedules");
    }
  }
  free(first);
  prepared_free(&run);
}

}  // namespace

int main(int argc, char **argv) {
  start_tests();
  const Emulator emulator = emulator_open();
  emulator_set(&emulator, "CHECKS", "on");
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    if (argc > 1 && strstr(kMethod[method], argv[1]) == nullptr) continue;
    for_cases(method, [&](const Case &x) { check_case(emulator, x); });
  }
  return finish_tests();
}
