#include <stdio.h>

#include "../include/leet.h"

namespace {
const struct {
  leet_status code;
  const char *name, *text;
} kStatus[] = {
#define LEET_STATUS(code, name, text) {code, #name, text},
#include "status.def"
#undef LEET_STATUS
};
}  // namespace

extern "C" leet_status leet_status_text(leet_status status, char *text, int32_t bytes) {
  if (text == nullptr || bytes <= 0) return LEET_INVALID_POINTER;
  for (const auto &s : kStatus) {
    if (s.code == status) {
      snprintf(text, (size_t)bytes, "%s: %s", s.name, s.text);
      return LEET_OK;
    }
  }
  text[0] = 0;
  return LEET_INVALID_INDEX;
}
