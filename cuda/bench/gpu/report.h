/* The records of a run, sorted, and the two files made of them. */
#ifndef GPU_CHECK_REPORT_H
#define GPU_CHECK_REPORT_H

#include <stdio.h>

#include <string>
#include <vector>

#include "record.h"

namespace gpu_check {

struct Report {
  std::vector<Line> lines;
  bool ok;             /* every correctness part that ran passed, and one did */
  bool complete;       /* no part was left out by the command line */
  bool emulated;       /* timings mean nothing */
  std::string verdict; /* one line */

  std::vector<Line> of(const std::string &kind) const;
  /* The last line of that kind, empty without one. */
  Line last(const std::string &kind) const;
};

void write_json(FILE *file, const Report &report);
void write_markdown(FILE *file, const Report &report);

}  // namespace gpu_check
#endif
