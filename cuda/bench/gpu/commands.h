/* The subcommands of the programs, one function each. `argv` starts behind the subcommand's name; the result is the
 * exit code. */
#ifndef GPU_CHECK_COMMANDS_H
#define GPU_CHECK_COMMANDS_H

namespace gpu_check {

/* What the driver says of the machine. Prints the compute capability, "90", for the build. */
int machine();

/* Bandwidth, arithmetic peaks and latencies. `small`: too small to mean anything, for the emulated driver. */
int peaks(bool small);

/* The JSON and Markdown files from the records; 0 only when every correctness part passed. */
int report(const char *records, const char *json, const char *markdown);

/* One small call of every method and type: whether the kernels load, how long that takes, and whether they are right.
 */
int images();

/* The benchmark. mode: quick, full or tiny; seconds: what it may take. */
int sweep(const char *records, const char *mode, const char *methods, double seconds);

}  // namespace gpu_check
#endif
