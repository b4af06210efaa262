#include <stdio.h>

#include "../../include/leet.h"
#include "commands.h"
#include "record.h"
#include "run.h"

namespace gpu_check {

int images() {
  const Gpu gpu;
  const Helpers helpers(gpu);
  char version[128] = "";
  int32_t abi = 0;
  leet_version(version, sizeof version, &abi);
  Record("library").text("version", version).count("abi", abi);
  printf("%s\n", version);
  int passed = 0, failed = 0;
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
      for (const Decays decays : {kRetnet, kGates}) {
        const Case c = {kPrefill, method, dtype, decays, 1, 2, 130, 64};
        Run run(gpu, helpers, c);
        if (!run.prepare()) return kGpuLost;
        run.poison();
        gpu.wait();
        const double start = seconds_now();
        const leet_status status = run.call();
        if (status != LEET_OK) {
          printf("FAIL %s: status %d: %s\n", text_of(c).c_str(), (int)status, run.params.message);
          failed++;
          if (status >= LEET_NO_DRIVER) return printf("%d passed, %d failed\n", passed, failed), 1;
          continue;
        }
        gpu.wait();
        const double ms = (seconds_now() - start) * 1e3;
        const Verdict verdict = run.verify(1);
        const bool ok = verdict.o <= 1 && verdict.state <= 1;
        (ok ? passed : failed)++;
        printf("%s%s: %.1f ms for the first call, error %.2g, state %.2g of what is allowed\n", ok ? "" : "FAIL ",
               text_of(c).c_str(), ms, verdict.o, verdict.state);
        if (decays == kRetnet) {
          Record("image").text("method", method_name(method)).text("dtype", kTypeNames[dtype]).number("first_ms", ms);
        }
      }
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}

}  // namespace gpu_check
