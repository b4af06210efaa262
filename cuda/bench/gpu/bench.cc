/* gpu-bench: the parts of scripts/gpu-check that run our kernels.
 *
 *   gpu-bench images RECORDS
 *   gpu-bench sweep RECORDS quick|full|tiny METHODS SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "record.h"

int main(int argc, char **argv) {
  using namespace gpu_check;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 2) set_records(argv[2]);
  if (argc == 3 && strcmp(argv[1], "images") == 0) return images();
  if (argc == 6 && strcmp(argv[1], "sweep") == 0) return sweep(argv[2], argv[3], argv[4], atof(argv[5]));
  fprintf(stderr, "gpu-bench: expected images RECORDS, or sweep RECORDS quick|full|tiny METHODS SECONDS\n");
  return 2;
}
