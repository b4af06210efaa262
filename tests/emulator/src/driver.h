// State of the emulated driver and the frame that every driver function runs in.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "ast.h"
#include "cuda_abi.h"
#include "fault.h"
#include "program.h"

#define LEETEMU_API extern "C" __attribute__((visibility("default")))

namespace leetemu {

// What an event stands for: a point in the work of a stream.
struct EventPoint {
  CUstream stream = nullptr;
  bool done = false;
  double seconds = 0;
};

struct PinnedBlock {
  u8 *data;
  u64 bytes;
  CUcontext context;
  std::shared_ptr<u64> queued = std::make_shared<u64>(0);  // copies that have not run yet
};

// One thing that a stream has to do.
struct Work {
  std::function<void()> run;
  std::shared_ptr<EventPoint> after;  // of cuStreamWaitEvent: nothing behind it starts before this is reached
};

enum class Needs : u8 { nothing, init, context };

struct Driver {
  std::recursive_mutex lock;
  bool initialised = false;
  std::map<std::string, u64> calls;
  std::map<int, CUcontext> primary;  // by device
  std::set<CUcontext> contexts;
  std::set<CUmodule> modules;
  std::set<CUfunction> functions;
  std::set<CUstream> streams;
  std::set<CUevent> events;
  std::map<u64, PinnedBlock> pinned;  // by address
  u64 launches = 0;
};

Driver &driver();
CUcontext currentContext();
void setCurrentContext(CUcontext c);

// Runs f under the lock, after fault injection and the checks that `needs` asks for. Faults become return codes.
CUresult call(const char *function, Needs needs, const std::function<void()> &f);

inline void require(bool ok, int code, const std::string &what) {
  if (!ok) throw Fault(code, what);
}

// driver_stream.cc: enqueue runs at once or late, as the configuration says.
CUstream streamOf(CUstream handle);  // resolves 0 and the two special handles
void enqueue(CUstream stream, std::function<void()> work, std::shared_ptr<EventPoint> after = nullptr);
void drain(CUstream stream);
void drainContext(CUcontext c);
void drainUntil(const EventPoint &point);
// What legacy synchronous calls wait for: the default stream and the streams that are not non-blocking.
void drainBlocking(CUcontext c);

// Frees everything that the context holds and reports it as leaked.
void destroyContext(CUcontext c);
void destroyModule(CUmodule m);

}  // namespace leetemu

struct CUctx_st {
  int device = 0;
  int retained = 0;
  int error = 0;  // of a kernel that failed: every later call returns it
  std::unique_ptr<CUstream_st> defaultStream, perThreadStream;
};

struct CUfunc_st {
  CUmodule module = nullptr;
  const leetemu::FunctionAst *ast = nullptr;
  leetemu::Kernel kernel;       // empty until somebody asks for the function, or from the load on (LOADING)
  int dynamicSharedLimit = -1;  // -1 = not set: what static memory leaves of the default limit
};

struct CUmod_st {
  CUcontext context = nullptr;
  leetemu::ModuleAst ast;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
  std::map<std::string, leetemu::u64> variables;  // address
  std::set<std::string> constants;
};

struct CUstream_st {
  CUcontext context = nullptr;
  bool nonBlocking = false;
  std::deque<leetemu::Work> work;
};

struct CUevent_st {
  CUcontext context = nullptr;
  bool timed = true;
  std::shared_ptr<leetemu::EventPoint> point;
};
