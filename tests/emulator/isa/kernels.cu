// Kernels of nvcc_test.cc.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

__device__ __noinline__ float choose(float y, int which) {
  switch (which) {
    case 0:
      return y + 1;
    case 1:
      return y * 2;
    case 2:
      return y - 3;
    case 3:
      return fabsf(y);
    case 4:
      return -y;
    case 5:
      return y * y;
    default:
      return y / 4;
  }
}

extern "C" __global__ void mixed(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = choose(sinf(x[i]), i % 7);
}

extern "C" __global__ void product(const float *a, const float *b, float *c, int n) {
  __shared__ float ta[16][17], tb[16][17];
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    ta[threadIdx.y][threadIdx.x] = row < n && k + threadIdx.x < n ? a[row * n + k + threadIdx.x] : 0;
    tb[threadIdx.y][threadIdx.x] = col < n && k + threadIdx.y < n ? b[(k + threadIdx.y) * n + col] : 0;
    __syncthreads();
    for (int t = 0; t < 16; ++t) sum += ta[threadIdx.y][t] * tb[t][threadIdx.x];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

extern "C" __global__ void reduce(const float *x, float *out, int n) {
  __shared__ __nv_bfloat16 kept[128];
  __shared__ float sums[4];
  float sum = 0, most = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    kept[threadIdx.x] = __float2bfloat16(x[i]);
    sum += __bfloat162float(kept[threadIdx.x]);
    most = fmaxf(most, fabsf(x[i]));
  }
  for (int d = 16; d; d /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, d);
    most = fmaxf(most, __shfl_down_sync(0xffffffff, most, d));
  }
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(out, sums[0] + sums[1] + sums[2] + sums[3]);
  if (threadIdx.x % 32 == 0) atomicMax(reinterpret_cast<int *>(out) + 1, __float_as_int(most));
}

__device__ unsigned sharedAddress(const void *p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

__device__ void copy16(void *to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(sharedAddress(to)), "l"(from));
}

// One CTA of 4 warps, each 16 rows of C.
extern "C" __global__ void tensorProduct(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int K) {
  __shared__ __align__(16) __nv_bfloat16 sa[2][64][24], sb[2][16][72];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float acc[8][4] = {};
  auto fetch = [&](int step) {
    int k = step * 16, t = threadIdx.x;
    copy16(&sa[step & 1][t / 2][t % 2 * 8], a + (t / 2) * K + k + t % 2 * 8);
    copy16(&sb[step & 1][t / 8][t % 8 * 8], b + (k + t / 8) * 64 + t % 8 * 8);
    asm volatile("cp.async.commit_group;");
  };
  fetch(0);
  for (int step = 0; step < K / 16; ++step) {
    if (step + 1 < K / 16) {
      fetch(step + 1);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
    unsigned ra[4], rb[2];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(ra[0]), "=r"(ra[1]), "=r"(ra[2]), "=r"(ra[3])
                 : "r"(sharedAddress(&sa[step & 1][warp * 16 + lane % 16][lane / 16 * 8])));
    for (int j = 0; j < 8; ++j) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                   : "=r"(rb[0]), "=r"(rb[1])
                   : "r"(sharedAddress(&sb[step & 1][lane % 16][j * 8])));
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
          : "+f"(acc[j][0]), "+f"(acc[j][1]), "+f"(acc[j][2]), "+f"(acc[j][3])
          : "r"(ra[0]), "r"(ra[1]), "r"(ra[2]), "r"(ra[3]), "r"(rb[0]), "r"(rb[1]));
    }
    __syncthreads();
  }
  for (int j = 0; j < 8; ++j)
    for (int e = 0; e < 4; ++e) c[(warp * 16 + lane / 4 + e / 2 * 8) * 64 + j * 8 + lane % 4 * 2 + e % 2] = acc[j][e];
}
