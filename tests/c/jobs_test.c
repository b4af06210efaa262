/* leet_forward from many threads and on threads of the library: right, the same bits, no handle lost or invented. Built
 * with ThreadSanitizer too. */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "call.h"

enum { METHODS = LEET_METHOD_FLASH };

/* Shape number i; small ones, several chunks long, more or fewer heads than threads. */
static leet_params problem_number(int i) {
  static const int64_t shapes[][6] = {{1, 4, 2, 70, 17, 9}, {2, 3, 3, 40, 8, 24}, {1, 1, 1, 300, 16, 16},
                                      {1, 2, 1, 1, 5, 5},   {3, 2, 2, 33, 32, 1}, {1, 8, 1, 65, 12, 20}};
  const int64_t *s = shapes[i % 6];
  leet_params p = shape_of(s[0], s[1], s[2], s[3], s[4], s[5]);
  p.method = 1 + i % METHODS;
  p.dtype = i / 2 % 3;
  p.decay_form = i / 3 % 4;
  p.threads = 1 + i % 5;
  return p;
}

/* Takes long enough to be met while it runs: some 50 ms on one thread. */
static leet_params long_problem(void) {
  leet_params p = shape_of(1, 4, 4, 3000, 64, 64);
  p.method = LEET_METHOD_RECURRENT;
  p.threads = 2;
  return p;
}

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Runs `c` directly into `same`, an equal call, so that bits can be compared. */
static void reference_of(Call *same, const leet_params *p) {
  call_new(same, p);
  const leet_status status = call_forward(same);
  expect(status == LEET_OK && call_error_of(same) <= 1, "leet_forward gave %d: %s", status, same->p.message);
}

static void poll_until_done(uint64_t job, int64_t wait_us, int32_t *polls) {
  int32_t done = 0;
  leet_status status = LEET_OK, result = LEET_OK;
  double waited = 0;
  int patient = 1; /* each poll that came back early had waited as long as asked */
  for (*polls = 0; !done && status == LEET_OK && result == LEET_OK; ++*polls) {
    const double before = now_seconds();
    status = leet_job_poll(job, wait_us, &done, &result);
    waited = now_seconds() - before;
    patient &= done || (wait_us >= 0 && waited >= (double)wait_us * 1e-6 * 0.9);
  }
  expect(status == LEET_OK && done == 1 && result == LEET_OK, "poll gave %d, done %d, result %d", status, done, result);
  expect(patient, "a poll returned after %g s of %lld us", waited, (long long)wait_us);
  done = 5;
  expect(leet_job_poll(job, wait_us, &done, &result) == LEET_INVALID_INDEX && done == 0, "the handle outlived the job");
}

static void same_bits_with_every_wait(void) {
  const int64_t waits[] = {0, 1, 200, 1000000, INT64_MAX, -1, INT64_MIN};
  int32_t polls, polls_while_running = 0;
  for (int i = 0; i < 42; i++) {
    current_test = "same bits as leet_forward";
    const leet_params p = problem_number(i);
    Call direct, job;
    uint64_t handle = 0;
    reference_of(&direct, &p);
    call_new(&job, &p);
    const leet_status status = call_start(&job, &handle);
    expect(status == LEET_OK && handle != 0, "start gave %d: %s", status, job.p.message);
    if (status == LEET_OK) poll_until_done(handle, waits[i % 7], &polls);
    expect(same_outputs(&direct, &job) && job.p.method_used == p.method, "problem %d differs", i);
    call_free(&direct);
    call_free(&job);
  }
  for (int i = 0; i < 7; i++) {
    current_test = "polls while the job runs";
    const leet_params p = long_problem();
    Call job;
    uint64_t handle = 0;
    call_new(&job, &p);
    expect(call_start(&job, &handle) == LEET_OK, "%s", job.p.message);
    poll_until_done(handle, waits[i], &polls);
    polls_while_running += polls - 1;
    call_free(&job);
  }
  expect(polls_while_running > 0, "no poll met a running job");
}

static void unknown_handles(void) {
  current_test = "unknown handles";
  const leet_params p = problem_number(1);
  Call c;
  uint64_t handle = 0;
  call_new(&c, &p);
  expect(call_start(&c, &handle) == LEET_OK, "%s", c.p.message);
  const uint64_t unknown[] = {0, handle + 1, handle - 1, UINT64_MAX, handle | (uint64_t)1 << 63};
  int32_t done = 7;
  leet_status result = 7;
  for (int i = 0; i < 5; i++) {
    for (int64_t wait = -1; wait <= 1; wait++) {
      done = 7;
      expect(leet_job_poll(unknown[i], wait, &done, &result) == LEET_INVALID_INDEX && done == 0, "handle %llu",
             (unsigned long long)unknown[i]);
    }
  }
  expect(leet_job_poll(handle, -1, NULL, &result) == LEET_INVALID_POINTER, "NULL done");
  expect(leet_job_poll(handle, -1, &done, NULL) == LEET_INVALID_POINTER, "NULL result");
  expect(leet_job_poll(handle, -1, &done, &result) == LEET_OK && done == 1 && result == LEET_OK, "the job itself");
  expect(leet_job_poll(handle, -1, &done, &result) == LEET_INVALID_INDEX && done == 0, "after its end");
  call_free(&c);
}

enum { JOBS = 64 };

static void many_at_once(void) {
  current_test = "many jobs at once";
  static Call direct[JOBS], job[JOBS];
  static uint64_t handle[JOBS];
  for (int i = 0; i < JOBS; i++) {
    const leet_params p = problem_number(i);
    reference_of(&direct[i], &p);
    call_new(&job[i], &p);
  }
  for (int i = 0; i < JOBS; i++) expect(call_start(&job[i], &handle[i]) == LEET_OK, "%s", job[i].p.message);
  for (int i = 0; i < JOBS; i++) {
    for (int j = 0; j < i; j++) expect(handle[i] != handle[j], "jobs %d and %d share a handle", i, j);
  }
  for (int i = JOBS; i-- > 0;) {
    int32_t polls;
    poll_until_done(handle[i], -1, &polls);
    expect(same_outputs(&direct[i], &job[i]), "job %d differs", i);
    call_free(&direct[i]);
    call_free(&job[i]);
  }
}

/* What threads found; they count nothing themselves. */
struct Worker {
  pthread_t thread;
  int number;
  uint64_t handle;
  int good, bad;
};

static void *wait_for_one(void *argument) {
  struct Worker *w = (struct Worker *)argument;
  int32_t done = 0;
  leet_status result = LEET_INTERNAL;
  const leet_status status = leet_job_poll(w->handle, -1, &done, &result);
  w->good = status == LEET_OK && done == 1 && result == LEET_OK;
  w->bad = !w->good && !(status == LEET_INVALID_INDEX && done == 0);
  return NULL;
}

static void two_wait_for_one(void) {
  current_test = "two threads wait for one job";
  for (int turn = 0; turn < 20; turn++) {
    const leet_params p = turn % 4 == 0 ? long_problem() : problem_number(turn);
    struct Worker w[2];
    memset(w, 0, sizeof w);
    Call c;
    uint64_t handle = 0;
    call_new(&c, &p);
    expect(call_start(&c, &handle) == LEET_OK, "%s", c.p.message);
    for (int i = 0; i < 2; i++) {
      w[i].handle = handle;
      if (pthread_create(&w[i].thread, NULL, wait_for_one, &w[i]) != 0) exit(1);
    }
    for (int i = 0; i < 2; i++) pthread_join(w[i].thread, NULL);
    expect(w[0].good + w[1].good == 1 && w[0].bad + w[1].bad == 0, "the end was told %d times", w[0].good + w[1].good);
    call_free(&c);
  }
}

enum { THREADS = 8, TURNS = 12 };

static void *forwards(void *argument) {
  struct Worker *w = (struct Worker *)argument;
  for (int turn = 0; turn < TURNS; turn++) {
    leet_params p = problem_number(w->number + turn);
    Call one, other;
    call_new(&one, &p);
    p.threads = 1 + (w->number + turn) % 7;
    call_new(&other, &p);
    const int ran = turn % 3 == 2 ? call_job(&one) == LEET_OK : call_forward(&one) == LEET_OK;
    w->good += ran && call_forward(&other) == LEET_OK && call_error_of(&one) <= 1 && same_outputs(&one, &other);
    if (turn % 4 == 3) w->bad += leet_workspace_release() != LEET_OK;
    call_free(&one);
    call_free(&other);
  }
  return NULL;
}

static void eight_callers(void) {
  current_test = "eight threads call leet_forward";
  struct Worker w[THREADS];
  memset(w, 0, sizeof w);
  for (int i = 0; i < THREADS; i++) {
    w[i].number = i * 5;
    if (pthread_create(&w[i].thread, NULL, forwards, &w[i]) != 0) exit(1);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(w[i].thread, NULL);
    expect(w[i].good == TURNS && w[i].bad == 0, "thread %d: %d of %d right", i, w[i].good, TURNS);
  }
}

static pthread_t main_thread;
static volatile sig_atomic_t on_main, elsewhere;

static void on_signal(int number) {
  (void)number;
  if (pthread_equal(pthread_self(), main_thread)) {
    on_main = 1;
  } else {
    elsewhere = 1;
  }
}

/* A host program's handlers run on its own threads, never on one of the library. */
static void signals_stay_with_the_host(void) {
  current_test = "signals";
  const leet_params p = long_problem();
  sigset_t one;
  Call c;
  uint64_t handle = 0;
  main_thread = pthread_self();
  signal(SIGUSR1, on_signal);
  call_new(&c, &p);
  expect(call_start(&c, &handle) == LEET_OK, "%s", c.p.message);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, NULL);
  kill(getpid(), SIGUSR1);
  int32_t polls;
  poll_until_done(handle, -1, &polls);
  expect(!elsewhere && !on_main, "a thread of the library ran a handler of the host");
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
  expect(on_main && !elsewhere, "the handler did not run on the host's thread");
  call_free(&c);
}

/* A process may end while jobs and workers run. */
static void exit_while_running(void) {
  current_test = "exit while a job runs";
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const leet_params p = long_problem();
    Call c;
    uint64_t handle = 0;
    call_new(&c, &p);
    exit(call_start(&c, &handle) == LEET_OK ? 0 : 3);
  }
  int state = 0;
  expect(waitpid(child, &state, 0) == child && WIFEXITED(state) && WEXITSTATUS(state) == 0, "ended with %x", state);
}

int main(void) {
  start_tests();
  alarm(300);           /* a hang is a failure */
  exit_while_running(); /* first: its fork wants a process with one thread */
  same_bits_with_every_wait();
  unknown_handles();
  many_at_once();
  two_wait_for_one();
  eight_callers();
  signals_stay_with_the_host();
  return finish_tests();
}
