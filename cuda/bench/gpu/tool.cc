/* gpu-tool: the parts of scripts/gpu-check that need no library of ours.
 *
 *   gpu-tool machine RECORDS
 *   gpu-tool peaks RECORDS [small]
 *   gpu-tool report RECORDS JSON MARKDOWN
 *   gpu-tool record RECORDS KIND KEY VALUE ...         appends a record; KEY: (with a colon) for a number */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "commands.h"
#include "record.h"

int main(int argc, char **argv) {
  using namespace gpu_check;
  if (argc < 3) {
    fprintf(stderr, "gpu-tool: expected machine, peaks, report or record, and a file of records\n");
    return 2;
  }
  const char *command = argv[1];
  set_records(argv[2]);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (strcmp(command, "machine") == 0) return machine();
  if (strcmp(command, "peaks") == 0) return peaks(argc > 3 && strcmp(argv[3], "small") == 0);
  if (strcmp(command, "report") == 0 && argc == 5) return report(argv[2], argv[3], argv[4]);
  if (strcmp(command, "record") == 0 && argc > 3) {
    Record record(argv[3]);
    for (int i = 4; i + 1 < argc; i += 2) {
      const std::string key = argv[i];
      if (key.back() != ':') record.text(argv[i], argv[i + 1]);
      else record.number(key.substr(0, key.size() - 1).c_str(), atof(argv[i + 1]));
    }
    return 0;
  }
  fprintf(stderr, "gpu-tool: no command %s with %d arguments\n", command, argc - 3);
  return 2;
}
