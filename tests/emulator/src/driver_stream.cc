// Streams and events. Work waits in its stream until something asks for it (STREAMS=late), so that a host that forgets
// to wait sees stale data; or it runs at the call (STREAMS=eager). Late work under SCHEDULE=random gets ahead by chance
// as well, one stream further than another, so that copies which nothing keeps behind a kernel overwrite what it reads.
#include <chrono>
#include <random>

#include "config.h"
#include "driver.h"

namespace leetemu {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

CUstream legacyHandle() { return reinterpret_cast<CUstream>(1); }
CUstream perThreadHandle() { return reinterpret_cast<CUstream>(2); }

// A failed kernel poisons its context: what is queued there never runs.
void step(CUstream stream) {
  Work work = std::move(stream->work.front());
  stream->work.pop_front();
  CUcontext c = stream->context, before = currentContext();
  if (c->error) return;
  setCurrentContext(c);  // whoever waits may have another one
  try {
    work.run();
  } catch (const Fault &f) {
    c->error = f.code;
    report(f.what());
  }
  setCurrentContext(before);
}

bool ready(CUstream s) { return !s->work.empty() && (!s->work.front().after || s->work.front().after->done); }

// Now and then, some work of one stream that could go on: streams get far apart.
void getAheadByChance() {
  static u64 seed = ~0ull;
  static std::mt19937_64 random;
  if (config().seed != seed) random.seed(seed = config().seed);
  if (random() % 4 != 0) return;
  std::vector<CUstream> able;
  for (CUstream s : driver().streams)
    if (ready(s)) able.push_back(s);
  for (CUcontext c : driver().contexts)
    for (CUstream s : {c->defaultStream.get(), c->perThreadStream.get()})
      if (ready(s)) able.push_back(s);
  if (able.empty()) return;
  CUstream s = able[random() % able.size()];
  for (u64 left = 1 + random() % 8; left > 0 && ready(s); --left) step(s);
}

void checkEvent(CUevent e) { require(driver().events.count(e), CUDA_ERROR_INVALID_HANDLE, "no such event"); }

}  // namespace

CUstream streamOf(CUstream handle) {
  CUcontext c = currentContext();
  if (!handle || handle == legacyHandle()) return c->defaultStream.get();
  if (handle == perThreadHandle()) return c->perThreadStream.get();
  require(driver().streams.count(handle), CUDA_ERROR_INVALID_HANDLE, "no such stream");
  return handle;
}

void drain(CUstream stream) {
  while (!stream->work.empty()) step(stream);
}

void drainBlocking(CUcontext c) {
  for (CUstream s : driver().streams)
    if (s->context == c && !s->nonBlocking) drain(s);
  drain(c->defaultStream.get());
  drain(c->perThreadStream.get());
}

void drainContext(CUcontext c) {
  for (CUstream s : driver().streams)
    if (s->context == c) drain(s);
  drain(c->defaultStream.get());
  drain(c->perThreadStream.get());
}

void drainUntil(const EventPoint &point) {
  while (!point.done && point.stream && !point.stream->work.empty()) step(point.stream);
}

void enqueue(CUstream stream, std::function<void()> work, std::shared_ptr<EventPoint> after) {
  // The default stream and the blocking streams run one after the other.
  CUcontext c = stream->context;
  if (stream == c->defaultStream.get()) {
    for (CUstream s : driver().streams)
      if (s->context == c && !s->nonBlocking) drain(s);
  } else if (!stream->nonBlocking) {
    drain(c->defaultStream.get());
  }
  stream->work.push_back({std::move(work), std::move(after)});
  if (!config().lateStreams) drain(stream);
  else if (config().order == Order::random) getAheadByChance();
}

}  // namespace leetemu

using namespace leetemu;

LEETEMU_API CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  return call("cuStreamCreate", Needs::context, [&] {
    require(stream && flags <= CU_STREAM_NON_BLOCKING, CUDA_ERROR_INVALID_VALUE, "bad arguments");
    CUstream s = new CUstream_st;
    s->context = currentContext();
    s->nonBlocking = flags == CU_STREAM_NON_BLOCKING;
    driver().streams.insert(s);
    *stream = s;
  });
}

LEETEMU_API CUresult cuStreamDestroy_v2(CUstream stream) {
  return call("cuStreamDestroy_v2", Needs::context, [&] {
    require(driver().streams.count(stream), CUDA_ERROR_INVALID_HANDLE, "no such stream");
    drain(stream);
    for (CUevent e : driver().events)
      if (e->point && e->point->stream == stream) e->point->done = true, e->point->stream = nullptr;
    driver().streams.erase(stream);
    delete stream;
  });
}

LEETEMU_API CUresult cuStreamSynchronize(CUstream stream) {
  return call("cuStreamSynchronize", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (s == currentContext()->defaultStream.get()) drainBlocking(currentContext());
    else drain(s);
  });
}

// Answers "not ready" once for each piece of work that waits, and does that piece.
LEETEMU_API CUresult cuStreamQuery(CUstream stream) {
  return call("cuStreamQuery", Needs::context, [&] {
    CUstream s = streamOf(stream);
    if (s->work.empty()) return;
    step(s);
    throw Fault(currentContext()->error ? currentContext()->error : CUDA_ERROR_NOT_READY, "stream is busy");
  });
}

LEETEMU_API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
  return call("cuStreamWaitEvent", Needs::context, [&] {
    checkEvent(event);
    require(flags == 0, CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    CUstream s = streamOf(stream);
    if (event->point)
      enqueue(
          s, [point = event->point] { drainUntil(*point); }, event->point);
  });
}

LEETEMU_API CUresult cuEventCreate(CUevent *event, unsigned flags) {
  return call("cuEventCreate", Needs::context, [&] {
    require(event && flags < 8, CUDA_ERROR_INVALID_VALUE, "bad arguments");
    CUevent e = new CUevent_st;
    e->context = currentContext();
    e->timed = !(flags & CU_EVENT_DISABLE_TIMING);
    driver().events.insert(e);
    *event = e;
  });
}

LEETEMU_API CUresult cuEventDestroy_v2(CUevent event) {
  return call("cuEventDestroy_v2", Needs::context, [&] {
    checkEvent(event);
    driver().events.erase(event);
    delete event;
  });
}

LEETEMU_API CUresult cuEventRecord(CUevent event, CUstream stream) {
  return call("cuEventRecord", Needs::context, [&] {
    checkEvent(event);
    CUstream s = streamOf(stream);
    require(event->context == s->context, CUDA_ERROR_INVALID_HANDLE, "event and stream are of different contexts");
    auto point = std::make_shared<EventPoint>();
    point->stream = s;
    event->point = point;
    enqueue(s, [point] { point->done = true, point->seconds = now(); });
  });
}

LEETEMU_API CUresult cuEventSynchronize(CUevent event) {
  return call("cuEventSynchronize", Needs::context, [&] {
    checkEvent(event);
    if (event->point) drainUntil(*event->point);
  });
}

LEETEMU_API CUresult cuEventQuery(CUevent event) {
  return call("cuEventQuery", Needs::context, [&] {
    checkEvent(event);
    if (!event->point || event->point->done) return;
    if (event->point->stream && !event->point->stream->work.empty()) step(event->point->stream);
    throw Fault(currentContext()->error ? currentContext()->error : CUDA_ERROR_NOT_READY, "event is not reached");
  });
}

LEETEMU_API CUresult cuEventElapsedTime(float *ms, CUevent start, CUevent end) {
  return call("cuEventElapsedTime", Needs::context, [&] {
    require(ms, CUDA_ERROR_INVALID_VALUE, "null pointer");
    checkEvent(start), checkEvent(end);
    require(start->timed && end->timed && start->point && end->point, CUDA_ERROR_INVALID_HANDLE,
            "event without a time");
    require(start->point->done && end->point->done, CUDA_ERROR_NOT_READY, "event is not reached");
    *ms = static_cast<float>(1e3 * (end->point->seconds - start->point->seconds));
  });
}

// CUDA 12.8 headers name this version.
LEETEMU_API CUresult cuEventElapsedTime_v2(float *ms, CUevent start, CUevent end) {
  return cuEventElapsedTime(ms, start, end);
}
