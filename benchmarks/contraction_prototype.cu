// C[b, n, m] = relu(sum_k X(b, k, m) W[k, n] + bias[n] + residual[b, n, m]): a convolution or a matrix product, as the body
// printer is to emit it. X is gathered: k = (chunk, row in chunk); a chunk of BK rows has one tap (offset, dy, dx), rows
// are `row_stride` elements apart. The capitals are constants of the body (its kind); every other quantity is data.
//
// A task is one BM x BN tile. The role's threads form SLICES groups; each owns BK / SLICES rows of every chunk, loads
// its own part of X and sums its own partial tile; the partial tiles meet in shared memory at the end.

#ifndef BM
#define BM 64          // tile rows (m), a multiple of MT
#define BN 64          // tile columns (n), a multiple of NT
#define BK 32          // rows of W in one slot of the ring
#define MT 8           // threads of a slice along m
#define NT 8           // threads of a slice along n
#endif
#ifndef STAGES
#define STAGES 3       // of X in shared memory
#endif
#ifndef RELU
#define RELU 1
#define RESIDUAL 0
#endif

constexpr int TM = BM / MT, TN = BN / NT;               // a thread's tile
constexpr int SLICE_THREADS = MT * NT;
constexpr int SLICES = RAMMER_THREADS / SLICE_THREADS;
constexpr int KS = BK / SLICES;                         // rows of a chunk that one slice owns
constexpr int COPY_M = BM <= 32 ? 32 : BM <= 64 ? 64 : 128;  // threads of a slice along m when X is copied
constexpr int PITCH = COPY_M, STAGE = KS * PITCH;       // of a slice's part of X in shared memory
constexpr int COPY_K = SLICE_THREADS / COPY_M;
constexpr int COPIES = KS / COPY_K;
constexpr int PARTIAL_PITCH = BM + 4;                   // neighbouring threads' columns lie in different banks
constexpr int WARP_M = MT < 8 ? 4 : 8, WARP_N = 32 / WARP_M;  // threads of a warp

// A thread's rows are pieces of 4, 2 and 1 neighbours, so that a fragment is read by the widest loads that fit, and
// neighbouring threads read neighbouring pieces. Element `i` of the fragment is at this place in the row of the tile.
__device__ __forceinline__ constexpr int place(int i, int size, int threads, int thread) {
  int begin = 0;
  for (int width = 4; width > 0; width /= 2) {
    while (size - begin >= width) {
      if (i < begin + width) return begin * threads + width * thread + (i - begin);
      begin += width;
    }
  }
  return 0;
}

template <int SIZE, int THREADS>
__device__ __forceinline__ void read_fragment(float (&fragment)[SIZE], const float* row, int thread) {
  constexpr int fours = SIZE / 4 * 4, twos = SIZE / 2 * 2;
#pragma unroll
  for (int i = 0; i < fours; i += 4) {
    const float4 piece = *reinterpret_cast<const float4*>(row + i * THREADS + 4 * thread);
    fragment[i] = piece.x, fragment[i + 1] = piece.y, fragment[i + 2] = piece.z, fragment[i + 3] = piece.w;
  }
  if constexpr (twos > fours) {
    const float2 piece = *reinterpret_cast<const float2*>(row + fours * THREADS + 2 * thread);
    fragment[fours] = piece.x, fragment[fours + 1] = piece.y;
  }
  if constexpr (SIZE > twos) fragment[twos] = row[twos * THREADS + thread];
}

template <int SIZE, int THREADS>
__device__ __forceinline__ void write_fragment(const float (&fragment)[SIZE], float* row, int thread) {
  constexpr int fours = SIZE / 4 * 4, twos = SIZE / 2 * 2;
#pragma unroll
  for (int i = 0; i < fours; i += 4) {
    const float4 piece = make_float4(fragment[i], fragment[i + 1], fragment[i + 2], fragment[i + 3]);
    *reinterpret_cast<float4*>(row + i * THREADS + 4 * thread) = piece;
  }
  if constexpr (twos > fours) {
    *reinterpret_cast<float2*>(row + fours * THREADS + 2 * thread) = make_float2(fragment[fours], fragment[fours + 1]);
  }
  if constexpr (SIZE > twos) row[twos * THREADS + thread] = fragment[twos];
}

extern "C" __device__ void contraction(rammer::Task* task) {
  const float* input = rammer::operand<float>(task, 0);
  const float* bias = rammer::operand<float>(task, 2);
  const int4* taps = rammer::operand<int4>(task, 3);    // a chunk: offset, dy, dx
  float* output = rammer::operand<float>(task, 4);
  const int rows = rammer::parameter(task, 0);          // m: output pixels of an image
  const int columns = rammer::parameter(task, 1);       // n
  const int chunks = rammer::parameter(task, 2);
  const int row_stride = rammer::parameter(task, 3);
  const int input_image = rammer::parameter(task, 4);   // elements of an input image
  const int output_image = rammer::parameter(task, 5);
  const int output_width = rammer::parameter(task, 6);
  const int stride_y = rammer::parameter(task, 7);
  const int stride_x = rammer::parameter(task, 8);
  const int pad_y = rammer::parameter(task, 9);
  const int pad_x = rammer::parameter(task, 10);
  const int height = rammer::parameter(task, 11);
  const int width = rammer::parameter(task, 12);
  const int tiles_m = rammer::parameter(task, 13);
  const int tiles_n = rammer::parameter(task, 14);

  const int tile_n = task->index % tiles_n;
  const int tile_m = task->index / tiles_n % tiles_m;
  const int image = task->index / tiles_n / tiles_m;

  const int slice = rammer::thread() / SLICE_THREADS;
  const int thread = rammer::thread() % SLICE_THREADS;

  // This thread copies one column of X: one output pixel, KS / COPY_K rows of each chunk.
  const int copy_m = thread % COPY_M;
  const int copy_k = thread / COPY_M;
  const int m = tile_m * BM + copy_m;
  const int y = m / output_width * stride_y - pad_y;
  const int x = m % output_width * stride_x - pad_x;
  const bool in_tile = copy_m < BM && m < rows;
  const float* column = input + image * input_image + (y * width + x) + (slice * KS + copy_k) * row_stride;
  float* stages = rammer::scratch<float>(task) + slice * (STAGES * STAGE);
  float* to = stages + copy_k * PITCH + copy_m;

  // This thread computes TM x TN elements.
  //
  // The lanes of a warp are 8 x 4 such that neighbouring lanes read the same elements of one operand, and lanes 16 apart
  // those of the other: a 16-byte load of shared memory takes two cycles where lanes that share are 1, 4 or 16 apart, and
  // four where they are 8 apart.
  const int warp = thread / 32, lane = thread % 32;
  const int of_eight = lane / 2 % 8, of_four = lane % 2 + lane / 16 * 2;
  const int at_m = warp % (MT / WARP_M) * WARP_M + (WARP_M == 8 ? of_eight : of_four);
  const int at_n = warp / (MT / WARP_M) * WARP_N + (WARP_M == 8 ? of_four : of_eight);

  int4 tap = rammer::load_weight(taps);
#pragma unroll
  for (int stage = 0; stage < STAGES - 1; ++stage) {
    if (stage < chunks) {
      const bool inside = in_tile && static_cast<unsigned>(y + tap.y) < height && static_cast<unsigned>(x + tap.z) < width;
      const float* from = column + tap.x;
#pragma unroll
      for (int i = 0; i < COPIES; ++i) {
        rammer::copy_async<4>(to + stage * STAGE + i * COPY_K * PITCH, from + i * COPY_K * row_stride, inside);
      }
      tap = rammer::load_weight(taps + min(stage + 1, chunks - 1));
    }
    rammer::commit_copies();
  }

  float sum[TM][TN];
#pragma unroll
  for (int i = 0; i < TM; ++i) {
#pragma unroll
    for (int j = 0; j < TN; ++j) sum[i][j] = 0.0f;
  }

  rammer::Ring ring(task);
  int read_stage = 0, write_stage = STAGES - 1;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const float* weights = ring.wait<float>() + slice * KS * BN;
    rammer::wait_copies<STAGES - 2>();
    rammer::group_barrier<SLICE_THREADS>(slice);
    const float* staged = stages + read_stage * STAGE;

    float a[2][TM], b[2][TN];
    read_fragment<TM, MT>(a[0], staged, at_m);
    read_fragment<TN, NT>(b[0], weights, at_n);

    // Behind the first loads, whose latency they hide. Past the last chunk the copies write zeros that nobody reads: cheaper than a branch around them.
    const bool more = chunk + STAGES - 1 < chunks;
    const bool inside = more && in_tile && static_cast<unsigned>(y + tap.y) < height && static_cast<unsigned>(x + tap.z) < width;
    const float* from = column + tap.x;
#pragma unroll
    for (int i = 0; i < COPIES; ++i) {
      rammer::copy_async<4>(to + write_stage * STAGE + i * COPY_K * PITCH, from + i * COPY_K * row_stride, inside);
    }
    rammer::commit_copies();
    tap = rammer::load_weight(taps + min(chunk + STAGES, chunks - 1));

#pragma unroll
    for (int k = 0; k < KS; ++k) {
      if (k + 1 < KS) {
        read_fragment<TM, MT>(a[(k + 1) % 2], staged + (k + 1) * PITCH, at_m);
        read_fragment<TN, NT>(b[(k + 1) % 2], weights + (k + 1) * BN, at_n);
      }
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i][j] += a[k % 2][i] * b[k % 2][j];
      }
    }
    ring.release();
    read_stage = read_stage + 1 == STAGES ? 0 : read_stage + 1;
    write_stage = write_stage + 1 == STAGES ? 0 : write_stage + 1;
  }
  ring.close();
  rammer::wait_copies<0>();

  // Each slice leaves its partial tile, n-major, where the stages were.
  rammer::barrier();
  float* partial = rammer::scratch<float>(task);
#pragma unroll
  for (int j = 0; j < TN; ++j) {
    float column_sums[TM];
#pragma unroll
    for (int i = 0; i < TM; ++i) column_sums[i] = sum[i][j];
    write_fragment<TM, MT>(column_sums, partial + (slice * BN + place(j, TN, NT, at_n)) * PARTIAL_PITCH, at_m);
  }

  constexpr int ELEMENTS = (BM * BN + RAMMER_THREADS - 1) / RAMMER_THREADS;
  const int first_n = tile_n * BN, first_m = tile_m * BM;
  const int base = image * output_image;
  float value[ELEMENTS];
#pragma unroll
  for (int e = 0; e < ELEMENTS; ++e) {
    const int element = e * RAMMER_THREADS + rammer::thread();
    const int n = first_n + element / BM;
    value[e] = n < columns ? rammer::load_weight(bias + n) : 0.0f;
  }
#if RESIDUAL
  const float* residual = rammer::operand<float>(task, 5);
  float other[ELEMENTS];
#pragma unroll
  for (int e = 0; e < ELEMENTS; ++e) {
    const int element = e * RAMMER_THREADS + rammer::thread();
    const int n = first_n + element / BM, m_out = first_m + element % BM;
    other[e] = n < columns && m_out < rows ? rammer::load(residual + base + n * rows + m_out) : 0.0f;
  }
#pragma unroll
  for (int e = 0; e < ELEMENTS; ++e) value[e] += other[e];
#endif
  rammer::barrier();
#pragma unroll
  for (int e = 0; e < ELEMENTS; ++e) {
    const int element = e * RAMMER_THREADS + rammer::thread();
    const int n = first_n + element / BM, m_out = first_m + element % BM;
    float total = value[e];
#pragma unroll
    for (int s = 0; s < SLICES; ++s) {
      total += partial[(s * BN + element / BM) * PARTIAL_PITCH + element % BM];
    }
#if RELU
    total = fmaxf(total, 0.0f);
#endif
    if (n < columns && m_out < rows && element < BM * BN) output[base + n * rows + m_out] = total;
  }
}

extern "C" __device__ void contraction_service(rammer::Task* task) {
  const float* weights = rammer::operand<float>(task, 1);
  const int chunks = rammer::parameter(task, 2);
  const int tiles_n = rammer::parameter(task, 14);
  const int tile_n = task->index % tiles_n;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    rammer::ring_push(task, weights + (tile_n * chunks + chunk) * (BK * BN), BK * BN * 4);
  }
}
