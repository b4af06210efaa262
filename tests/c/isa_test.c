/* LEET_CPU_ISA: each instruction set by name, and names that are none. A process keeps its first choice, so each name
 * has a process of its own. */
#include <sys/wait.h>

#include "call.h"

static const char kLong[] =
    "a name that is longer than any place for it, a name that is longer than any place for it, "
    "a name that is longer than any place for it, a name that is longer than any place for it, "
    "a name that is longer than any place for it, a name that is longer than any place for it";

static void isa_in_use(char isa[32]) {
  leet_device_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  expect(leet_device_get(0, &info) == LEET_OK, "no device 0");
  memcpy(isa, info.isa, 32);
}

/* "cpu(scalar,avx2)" in the version names it. */
static int is_built(const char *name) {
  char text[256], wanted[64];
  int32_t abi;
  expect(leet_version(text, sizeof text, &abi) == LEET_OK, "no version");
  for (char *at = text; *at; at++) {
    if (*at == '(' || *at == ')') *at = ',';
  }
  snprintf(wanted, sizeof wanted, ",%.50s,", name);
  return strstr(text, wanted) != NULL;
}

static void right_with(const char *wanted) {
  for (int method = LEET_METHOD_AUTO; method <= LEET_METHOD_FLASH; method++) {
    leet_params p = shape_of(1, 2, 1, 75, 19, 21);
    p.method = method;
    p.dtype = method % 3;
    p.decay_form = LEET_DECAY_LOG;
    Call c;
    call_new(&c, &p);
    const leet_status status = call_forward(&c);
    expect(status == LEET_OK && call_error_of(&c) <= 1, "'%s', method %d: status %d: %s", wanted, method, status,
           c.p.message);
    call_free(&c);
  }
}

static void refused_with(const char *wanted) {
  char isa[32];
  const leet_params p = shape_of(1, 2, 1, 75, 19, 21);
  Call c;
  uint64_t job = 7;
  leet_cost cost = {0};
  cost.struct_size = sizeof cost;
  call_new(&c, &p);
  call_remember(&c);
  for (int entry = 0; entry < 3; entry++) {
    c.p.message[0] = 0;
    const leet_status status = entry == 0   ? call_forward(&c)
                               : entry == 1 ? call_start(&c, &job)
                                            : leet_estimate(&c.p, &cost);
    expect(status == LEET_UNSUPPORTED_ISA, "'%s' gave status %d", wanted, status);
    char beginning[16];
    snprintf(beginning, sizeof beginning, "%s", wanted);
    expect(strstr(c.p.message, "LEET_CPU_ISA: ") == c.p.message && strstr(c.p.message, beginning), "message '%s'",
           c.p.message);
    expect(call_unchanged(&c) && job == (entry == 0 ? 7 : 0), "'%s': something was written", wanted);
  }
  isa_in_use(isa);
  expect(strcmp(isa, "none") == 0, "'%s': the device says '%s'", wanted, isa);
  /* Refusing is no choice: a good name works afterwards. */
  setenv("LEET_CPU_ISA", "scalar", 1);
  expect(call_forward(&c) == LEET_OK && call_error_of(&c) <= 1, "scalar after '%s': %s", wanted, c.p.message);
  isa_in_use(isa);
  expect(strcmp(isa, "scalar") == 0, "scalar after '%s' became '%s'", wanted, isa);
  call_free(&c);
}

/* In a process that has not called the library yet. NULL: the variable is not set. */
static void with_name(const char *wanted) {
  char isa[32];
  if (wanted == NULL || wanted[0] == 0) {
    isa_in_use(isa);
    expect(is_built(isa), "the best set '%s' is not in the version", isa);
    right_with("");
    return;
  }
  leet_params p = shape_of(1, 1, 1, 1, 1, 1);
  leet_cost cost = {0};
  cost.struct_size = sizeof cost;
  const leet_status status = leet_estimate(&p, &cost);
  expect(status == LEET_OK || !(is_built(wanted) && strcmp(wanted, "scalar") == 0), "scalar works everywhere: %s",
         p.message);
  expect(status != LEET_OK || is_built(wanted), "'%s' works and is not in the version", wanted);
  if (status != LEET_OK) {
    refused_with(wanted);
    return;
  }
  isa_in_use(isa);
  expect(strcmp(isa, wanted) == 0, "'%s' became '%s'", wanted, isa);
  right_with(wanted);
}

int main(void) {
  start_tests();
  alarm(300); /* a hang is a failure */
  static const char *const names[] = {NULL,   "",       "scalar", "avx2",    "avx512", "neon",
                                      "sse9", "SCALAR", "avx",    "scalar ", "%s%n%s", kLong};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    int ends[2];
    long counts[2] = {0, 1};
    if (pipe(ends) != 0) return 1;
    const pid_t child = fork();
    if (child == 0) {
      passed = failed = 0;
      if (names[i] != NULL) {
        setenv("LEET_CPU_ISA", names[i], 1);
      } else {
        unsetenv("LEET_CPU_ISA");
      }
      current_test = names[i] ? names[i] : "no LEET_CPU_ISA";
      with_name(names[i]);
      counts[0] = passed;
      counts[1] = failed;
      return write(ends[1], counts, sizeof counts) == sizeof counts && failed == 0 ? 0 : 1;
    }
    close(ends[1]);
    int state = 0;
    expect(read(ends[0], counts, sizeof counts) == sizeof counts, "the process of '%s' died", names[i] ? names[i] : "");
    expect(waitpid(child, &state, 0) == child && WIFEXITED(state), "it ended with %x", state);
    passed += counts[0];
    failed += counts[1];
    close(ends[0]);
  }
  return finish_tests();
}
